"""Where a stack's data lies, and the refusal to move it unasked: Azure moves no storage, so it would be made anew."""

from collections.abc import Iterable, Mapping
from typing import Any

from features.errors import PersonalizationError
from infra.cloud.names import Names
from infra.cloud.settings import AzureSettings

ACCOUNT = "azure-native:storage:StorageAccount"


class DataWouldBeReplacedError(PersonalizationError):
    """Settings for which the stack's storage would be deleted and made anew, empty."""


def refuse_to_replace_data(resources: Iterable[Mapping[str, Any]], settings: AzureSettings, stack: str) -> None:
    """Raise `DataWouldBeReplacedError` when these settings put the storage in the state `resources` elsewhere."""
    names = Names(stack=stack, subscription=settings.subscription, suffix=settings.suffix)
    wanted = {names.lake, names.workspace_storage}
    for resource in resources:
        if resource["type"] != ACCOUNT:
            continue
        name, location = (str(resource["inputs"][part]) for part in ("accountName", "location"))
        if name not in wanted or location != settings.location:
            raise DataWouldBeReplacedError(
                f"The storage account {name} in {location} would be deleted with everything in it, models too: "
                f"`azure.location` is {settings.location}, `azure.suffix` is {settings.suffix}, and Azure moves no "
                "data. Put the settings back, or give `--replace-data` to begin anew there."
            )
