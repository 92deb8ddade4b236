"""What the commands need to know of a stack on Azure, and that a stack on this machine is none."""

import importlib.util
from pathlib import Path

from features.errors import BadInputError, PersonalizationError
from infra.azure_settings import AzureSettings
from infra.settings import load_settings
from personalize.stack.stack_files import StackFiles


class PackagesMissingError(PersonalizationError):
    """The packages for Azure were not installed."""


def azure_of(stack: str, settings_file: Path | None = None) -> AzureSettings | None:
    """The settings of a stack on Azure, None for one on this machine; raises `SettingsError`."""
    return load_settings(StackFiles(stack, settings_file).effective()).azure


def require_azure(stack: str, settings_file: Path | None = None) -> AzureSettings:
    """The settings of a stack on Azure. Raises `BadInputError` for another one, `PackagesMissingError`."""
    settings = azure_of(stack, settings_file)
    if settings is None:
        raise BadInputError(f"Stack {stack} is not on Azure. Name one that is: `--stack dev`.")
    require_packages()
    return settings


def require_packages() -> None:
    """Raise `PackagesMissingError` unless Azure's packages are installed."""
    if importlib.util.find_spec("pulumi_azure_native") is None:
        raise PackagesMissingError(
            "The packages for Azure are not installed. `.venv/bin/python -m tools.setup.azure` brings them (300 MB)."
        )
