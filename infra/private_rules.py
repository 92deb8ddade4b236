"""What the settings of a private stack must be, and what only a private stack may have."""

from typing import TYPE_CHECKING

from infra.network_ranges import require_places
from infra.setting_types import ANYWHERE, Network, RegistryTier

if TYPE_CHECKING:
    from infra.azure_settings import AzureSettings


def require_network(settings: "AzureSettings") -> None:
    """Raise `ValueError` if settings of a private network are missing, contradict others, or are a public stack's."""
    given = {"peered_network": settings.peered_network, "private_dns_zones": settings.private_dns_zones}
    if settings.network is Network.PUBLIC:
        for name, value in given.items():
            if value is not None:
                raise ValueError(f"{name} is for `network: private`: remove it, or set that")
        return
    if settings.peered_network is None:
        raise ValueError("network private needs peered_network: the network from which the stack is deployed")
    for name, value in given.items():
        if value is not None and value.split("/")[2] != settings.subscription:
            raise ValueError(f"{name} must be in the stack's subscription")
    if settings.registry_tier is not RegistryTier.PREMIUM:
        raise ValueError("network private needs registry_tier Premium: no other has private endpoints")
    if settings.authorized_ip_ranges != ANYWHERE:
        raise ValueError(
            "authorized_ip_ranges is for a public API server: with network private, whose API server only the network "
            "reaches, write `anywhere`"
        )
    nodes = settings.system_nodes_max + settings.scoring_nodes_max
    require_places(settings.network_range, nodes=nodes, machines=settings.training_workers + 1)
