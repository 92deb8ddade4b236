"""Whether a stack is on Azure, and what its commands need."""

import importlib.util
from pathlib import Path

from features.errors import BadInputError, PersonalizationError
from infra.azure_settings import AzureSettings
from infra.settings import Settings, load_settings
from personalize.stack.stack_files import StackFiles
from tools.paths import ROOT


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


def stacks_of_repository(repository: str, stack: str, settings: AzureSettings) -> list[str]:
    """`stack`, and the stacks of this checkout whose settings name the repository, those that are protected last."""
    names = [file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in ROOT.glob("Pulumi.*.yaml")]
    found = {name: azure_of_file(name) for name in names} | {stack: settings}
    own = {name: azure for name, azure in found.items() if azure and azure.github_repository == repository}
    return sorted(own, key=lambda name: (own[name].protect, name))


def azure_of_file(stack: str) -> AzureSettings | None:
    """The settings of a stack on Azure; None for another stack, or one whose file can't be used."""
    try:
        return azure_of(stack)
    except BadInputError:
        return None


def require_packages() -> None:
    """Raise `PackagesMissingError` if Azure's packages are not installed."""
    if importlib.util.find_spec("pulumi_azure_native") is None:
        raise PackagesMissingError(
            "The packages for Azure are not installed. `.venv/bin/python -m tools.setup.azure` installs them (300 MB)."
        )
