"""What every stack's program does first: reads the settings and the dataset, and chooses one of the two programs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, assert_never

import pulumi
from pulumi import Output

from azure_clients.containers import AzureLake
from features.errors import PersonalizationError
from infra.on_machine import on_machine
from infra.settings import Settings, Target, load_settings
from recommend.forgotten import Forgotten
from steps.datasets import located
from steps.folders import StackFolder
from tools.paths import state_folder
from training.datasets import check_split, describe, recommends
from training.datasets.configs import config_of
from training.datasets.manifest import Manifest
from training.datasets.placed.dataset import covered
from training.errors import DatasetError
from training.parameters import Dataset

if TYPE_CHECKING:
    from training.datasets.placed.listing import Address

UNREAD = Manifest(kind="", hash="", partitions=(), description="not read")
"""For an update that leaves data and training as they are in the state."""


def program(*, reads_data: bool = True, listed: Manifest | None = None) -> None:
    """The Pulumi program of every stack, for `pulumi up` and `personalize up`. Errors are shown as one sentence.

    Without `reads_data` only steps after training may be updated: a rollback needs neither data nor its config. A
    preview may give the manifest of data that was `listed` before, which is not read then.
    """
    try:
        # All keys at once, which `pulumi.Config` can't return: set by an inline program or by the language host.
        values = pulumi.runtime.config.get_config_env() | pulumi.runtime.config.CONFIG.get()
        settings = load_settings(values)
        outputs = deploy(settings, pulumi.get_stack(), reads_data=reads_data, listed=listed)
    except PersonalizationError as error:
        raise pulumi.RunError(str(error)) from error
    for name, value in outputs.items():
        pulumi.export(name, value)


def deploy(
    settings: Settings, stack: str, *, reads_data: bool = True, listed: Manifest | None = None
) -> dict[str, Output[Any]]:
    """Declare all of `stack` and return its outputs, `key` being secret; see `program`.

    Raises `PersonalizationError` if the dataset can't be described or split according to the settings, if the rule of
    users' keys changed while somebody is forgotten here, or if this machine lacks what Spark needs and Spark is to run.
    """
    dataset = located(settings.dataset)
    manifest = listed or UNREAD
    if reads_data and listed is None:
        spec = config_of(dataset)
        if spec.users and settings.target is Target.LOCAL:  # on Azure, where the list is, training refuses it
            spec.without(Forgotten.load(StackFolder(state_folder(stack)).forgotten))
        manifest = describe(dataset, AzureLake(settings.azure.tenant if settings.azure else ""))
        check_split(dataset, settings.training.split)
    if manifest.dropped:
        pulumi.log.info(f"{manifest.dropped}.")
    match settings.target:
        case Target.LOCAL:
            return on_machine(settings, stack, manifest)
        case Target.AZURE:
            # Azure's SDKs are an extra that stack `local` does without, and take seconds to import.
            from infra.on_azure import on_azure  # noqa: PLC0415 - see above

            data, has_users_and_items = _facts(dataset, manifest)
            return on_azure(settings, stack, manifest, data=data, recommends=has_users_and_items)
        case _:
            assert_never(settings.target)


def _facts(dataset: Dataset, manifest: Manifest) -> "tuple[Sequence[Address], bool]":
    """The folders of containers that training reads in place, and whether the dataset has users and items.

    An update that does not read the data must not need the dataset config: then the pods are told where snapshots would
    be, which a version without users and items does not look for; what training needs is not updated.
    """
    try:
        return covered(dataset, manifest), recommends(dataset)
    except DatasetError:
        if manifest is not UNREAD:
            raise
        return (), True
