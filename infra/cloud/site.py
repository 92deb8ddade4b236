"""Where resources are created, and their tags."""

from collections.abc import Mapping
from dataclasses import dataclass

from pulumi import Output

from infra.azure_settings import AzureSettings, Network
from infra.cloud.names import Names, tags_of


@dataclass(frozen=True, kw_only=True)
class Site:
    """A resource group, the region of its resources, and the tags of everything in it."""

    group: str
    location: str
    tags: Mapping[str, str]
    protect: bool
    """Whether Pulumi refuses to delete resources that hold data."""
    private: bool
    """Whether its resources are unreachable from the internet."""


@dataclass(frozen=True, kw_only=True)
class Sites:
    """Two resource groups: serving must be highly available, training need not be."""

    training: Site
    serving: Site


def sites(settings: AzureSettings, names: Names) -> Sites:
    """The stack's two groups. They exist before the program runs, and outlive the stack."""
    training, serving = (
        Site(
            group=group,
            location=settings.location,
            tags=tags_of(settings, names.stack),
            protect=settings.protect,
            private=settings.network is Network.PRIVATE,
        )
        for group in (names.training_group, names.serving_group)
    )
    return Sites(training=training, serving=serving)


def known(value: Output[str | None]) -> Output[str]:
    """An output that Azure always sets, although the SDK's type makes it optional."""
    return value.apply(_present)


def _present(value: str | None) -> str:
    if value is None:
        raise ValueError("Azure did not return a value that every such resource has")
    return value
