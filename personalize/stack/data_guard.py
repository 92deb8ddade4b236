"""Where a stack's data lies, and the refusal to move it unasked: Azure moves no storage, so it would be made anew."""

from collections.abc import Iterable, Mapping
from typing import Any

from features.errors import PersonalizationError
from infra.azure_settings import AzureSettings
from infra.cloud.names import Names

ACCOUNT = "azure-native:storage:StorageAccount"
Resources = Iterable[Mapping[str, Any]]


class DataWouldBeReplacedError(PersonalizationError):
    """Settings for which the stack's storage would be deleted and made anew, empty."""


class NamesTakenError(PersonalizationError):
    """Names that Azure keeps for days after what had them is deleted."""


def refuse_to_replace_data(resources: Resources, settings: AzureSettings, stack: str) -> None:
    """Raise `DataWouldBeReplacedError` when these settings put the storage in the state `resources` elsewhere."""
    for name, location in _moved(resources, settings, stack):
        raise DataWouldBeReplacedError(
            f"The storage account {name} in {location} would be deleted with everything in it, models too: "
            f"`azure.location` is {settings.location}, `azure.suffix` is {settings.suffix}, and Azure moves no "
            "data. Put the settings back. Or, to delete all of the stack and begin anew, set `azure.suffix` to a new "
            "value, as Azure keeps deleted names for days, and give `--replace-data`."
        )


def begins_anew(resources: Resources, settings: AzureSettings, stack: str) -> bool:
    """Whether these settings put the storage in the state `resources` elsewhere.

    Raises `NamesTakenError` when it would have the same names there.
    """
    moved = _moved(resources, settings, stack)
    for name, location in moved:
        if name in _wanted(settings, stack):
            raise NamesTakenError(
                f"A stack in {settings.location} can't have the names of the one in {location}, {name} for one: Azure "
                f"keeps deleted names for days. Set `azure.suffix` to another value than {settings.suffix}; nothing "
                "was deleted yet."
            )
    return bool(moved)


def _moved(resources: Resources, settings: AzureSettings, stack: str) -> list[tuple[str, str]]:
    """Name and location of each storage account that is not where these settings want it."""
    wanted = _wanted(settings, stack)
    accounts = (resource["inputs"] for resource in resources if resource["type"] == ACCOUNT)
    places = [(str(inputs["accountName"]), str(inputs["location"])) for inputs in accounts]
    return [(name, location) for name, location in places if name not in wanted or location != settings.location]


def _wanted(settings: AzureSettings, stack: str) -> set[str]:
    names = Names(stack=stack, subscription=settings.subscription, suffix=settings.suffix)
    return {names.lake, names.workspace_storage}
