"""Where resources are created, and their tags."""

from collections.abc import Mapping
from dataclasses import dataclass

from pulumi import Input, Output

from infra.azure_settings import AzureSettings
from infra.cloud.names import BUDGET_TAG, NETWORK_TAG, NO_BUDGET, PROJECT, PROJECT_TAG, STACK_TAG
from infra.setting_types import Network


@dataclass(frozen=True, kw_only=True)
class Site:
    """A resource group, its region, and the tags of everything in it."""

    group: Input[str]
    location: str
    tags: Mapping[str, str]
    protect: bool
    """Whether Pulumi refuses to delete resources that hold data."""
    private: bool
    """Whether its resources are unreachable from the internet."""


def tags_of(settings: AzureSettings, stack: str) -> dict[str, str]:
    """The tags of every resource: the user's own, the project and the stack."""
    budget = {BUDGET_TAG: NO_BUDGET} if settings.monthly_budget is None else {}
    network = {NETWORK_TAG: settings.network.value} if settings.network is Network.PRIVATE else {}
    return {**settings.tags, PROJECT_TAG: PROJECT, STACK_TAG: stack, **budget, **network}


def known(value: Output[str | None]) -> Output[str]:
    """An output that Azure always sets, although the SDK's type makes it optional."""
    return value.apply(_present)


def _present(value: str | None) -> str:
    if value is None:
        raise ValueError("Azure did not return a value that every such resource has")
    return value
