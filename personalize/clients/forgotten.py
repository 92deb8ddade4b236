"""The users who were forgotten in a stack, for commands that read rows on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.azure_settings import AzureSettings
from personalize.errors import StackMissingError
from personalize.stack.on_azure import require_packages
from recommend.forgotten import FILE, NOBODY, change
from steps.shared.folders import StackFolder
from tools.paths import state_folder


@contextmanager
def forgotten_in(stack: str, azure: AzureSettings | None) -> Iterator[Path]:
    """A file with the list, which is missing if there is none yet; what comes from the lake is removed again."""
    if azure is None:
        yield StackFolder(state_folder(stack)).forgotten
        return
    require_packages()
    from personalize.clients.azure_models import snapshots_of  # noqa: PLC0415 - needs Azure's packages

    with TemporaryDirectory(prefix="forgotten-") as folder:
        try:
            users = snapshots_of(stack, azure).forgotten()
        except StackMissingError:
            users = NOBODY
        change(Path(folder) / FILE, lambda _: users)
        yield Path(folder) / FILE
