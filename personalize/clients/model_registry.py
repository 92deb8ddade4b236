"""The model registry of a stack, on this machine or on Azure."""

from pathlib import Path
from typing import TYPE_CHECKING

from personalize.errors import StackMissingError
from personalize.stack.on_azure import azure_of, require_packages
from steps.registry_here import LocalRegistry
from tools.paths import state_folder

if TYPE_CHECKING:
    from personalize.clients.azure_models import AzureVersions


def versions_of(stack: str, settings_file: Path | None = None) -> "LocalRegistry | AzureVersions":
    """The versions of a stack. Raises `StackMissingError` for one on this machine that has no registry."""
    settings = azure_of(stack, settings_file)
    if settings is not None:
        require_packages()
        from personalize.clients.azure_models import AzureVersions  # noqa: PLC0415 - needs Azure's packages

        return AzureVersions(stack, settings)
    registry = LocalRegistry(state_folder(stack) / "registry")
    if not registry.exists:
        raise StackMissingError(f"Stack {stack} has no models yet. `.venv/bin/personalize up` trains the first.")
    return registry
