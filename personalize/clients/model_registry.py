"""The model registry of a stack, wherever the stack is, as the commands look at it."""

from pathlib import Path
from typing import Protocol

from personalize.errors import StackMissingError
from personalize.stack.on_azure import azure_of, require_packages
from steps.local.registry import LocalRegistry
from steps.shared.model_versions import Version
from tools.paths import state_folder


class Versions(Protocol):
    """The registered versions."""

    def list(self) -> list[Version]:
        """All of them, oldest first."""
        ...

    def get(self, number: int) -> Version:
        """The version `number`; raises `NoSuchVersionError`."""
        ...

    def get_champion(self) -> Version | None:
        """The version that serves, None before the first."""
        ...

    def register(self, bundle: Path) -> Version:
        """Give a bundle on this machine a number; one that is registered already keeps its own."""
        ...

    def fetch(self, version: Version, target: Path) -> None:
        """Copy a version's bundle to `target`, which is not there yet."""
        ...


def versions_of(stack: str, settings_file: Path | None = None) -> Versions:
    """The versions of a stack; raises `StackMissingError` for one on this machine that has no registry."""
    settings = azure_of(stack, settings_file)
    if settings is not None:
        require_packages()
        from personalize.clients.azure_models import AzureVersions  # noqa: PLC0415 - needs Azure's packages

        return AzureVersions(stack, settings)
    registry = LocalRegistry(state_folder(stack) / "registry")
    if not registry.exists:
        raise StackMissingError(f"Stack {stack} has no models yet. `.venv/bin/personalize up` trains the first.")
    return registry
