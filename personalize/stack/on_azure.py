"""Whether a stack is on Azure, and what its commands need."""

import importlib.util
from pathlib import Path

from features.errors import BadInputError, PersonalizationError
from infra.azure_settings import AzureSettings
from infra.settings import Settings, load_settings
from personalize.stack.stack_files import StackFiles


class PackagesMissingError(PersonalizationError):
    """The packages for Azure are not installed."""


def settings_of(stack: str, settings_file: Path | None = None) -> Settings:
    """The settings of a stack. Raises `SettingsError`."""
    return load_settings(StackFiles(stack, settings_file).effective())


def azure_of(stack: str, settings_file: Path | None = None) -> AzureSettings | None:
    """The settings of a stack on Azure, None for a local one. Raises `SettingsError`."""
    return settings_of(stack, settings_file).azure


def require_azure(stack: str, settings_file: Path | None = None) -> AzureSettings:
    """The settings of a stack on Azure. Raises `BadInputError` for a local one, or `PackagesMissingError`."""
    settings = azure_of(stack, settings_file)
    if settings is None:
        raise BadInputError(f"Stack {stack} is not on Azure. Name a stack that is, as `--stack dev`.")
    require_packages()
    return settings


def require_packages() -> None:
    """Raise `PackagesMissingError` if Azure's packages are not installed."""
    if importlib.util.find_spec("pulumi_azure_native") is None:
        raise PackagesMissingError(
            "The packages for Azure are not installed. `.venv/bin/python -m tools.setup.azure` installs them (300 MB)."
        )
