"""Whether a stack is on Azure, what its commands need there, and its models here or there."""

import importlib.util
from contextlib import suppress
from typing import TYPE_CHECKING

from features.errors import BadInputError, PersonalizationError
from infra.azure_settings import AzureSettings
from infra.settings import Settings, load_settings
from personalize.errors import StackMissingError
from personalize.stack.stack_files import StackFiles
from steps.folders import StackFolder
from steps.registry_here import LocalRegistry
from steps.snapshots_here import LocalSnapshots
from tools.paths import ROOT, state_folder

if TYPE_CHECKING:
    from azure_clients.snapshots import LakeSnapshots
    from personalize.stack.azure_models import AzureVersions


def settings_of(stack: str) -> Settings:
    """The settings of a stack. Raises `SettingsError`."""
    return load_settings(StackFiles(stack).effective())


def azure_of(stack: str) -> AzureSettings | None:
    """The settings of a stack on Azure, None for a local one. Raises `SettingsError`."""
    return settings_of(stack).azure


def require_azure(stack: str) -> AzureSettings:
    """The settings of a stack on Azure. Raises `BadInputError` for a local one, or `PersonalizationError`."""
    settings = azure_of(stack)
    if settings is None:
        raise BadInputError(f"Stack {stack} is not on Azure. Name a stack that is, as `--stack dev`.")
    require_packages()
    return settings


def stacks_of_repository(repository: str, stack: str, settings: AzureSettings) -> list[str]:
    """`stack`, and the stacks of this checkout whose settings name the repository, those that are protected last."""
    found = {stack: settings}
    for file in ROOT.glob("Pulumi.*.yaml"):
        with suppress(BadInputError):  # another file, or one that can't be used
            name = file.name.removeprefix("Pulumi.").removesuffix(".yaml")
            azure = load_settings(StackFiles(name, file).effective()).azure
            if azure and azure.github_repository == repository:
                found.setdefault(name, azure)
    return sorted(found, key=lambda name: (found[name].protect, name))


def require_packages() -> None:
    """Raise `PersonalizationError` if Azure's packages are not installed."""
    if importlib.util.find_spec("pulumi_azure_native") is None:
        raise PersonalizationError(
            "The packages for Azure are not installed. `.venv/bin/python -m tools.setup.azure` installs them (300 MB)."
        )


def versions_of(stack: str) -> "LocalRegistry | AzureVersions":
    """The versions of a stack. Raises `StackMissingError` for one on this machine that has no registry."""
    settings = azure_of(stack)
    if settings is not None:
        require_packages()
        from personalize.stack.azure_models import AzureVersions  # noqa: PLC0415 - needs Azure's packages

        return AzureVersions(stack, settings)
    registry = LocalRegistry(state_folder(stack) / "registry")
    if not registry.exists:
        raise StackMissingError(f"Stack {stack} has no models yet. `.venv/bin/personalize up` trains the first.")
    return registry


def snapshots_of(stack: str) -> "LocalSnapshots | LakeSnapshots":
    """The snapshots that a stack's service follows. Raises `StackMissingError` if there is no such stack."""
    settings = azure_of(stack)
    if settings is not None:
        require_packages()
        from personalize.stack.azure_models import lake_snapshots  # noqa: PLC0415 - needs Azure's packages

        return lake_snapshots(stack, settings)
    folder = state_folder(stack)
    if not folder.is_dir():
        raise StackMissingError(f"There is no stack {stack}. `.venv/bin/personalize up` creates it.")
    return LocalSnapshots(StackFolder(folder))
