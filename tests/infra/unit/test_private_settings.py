"""Settings of a private stack: invalid combinations are refused before Azure sees them."""

import pytest

from infra.network_ranges import divided
from infra.settings import SettingsError, azure_settings, load_settings
from tests.support.azure_stack import REQUIRED

AZURE = dict(REQUIRED)
HUB = f"/subscriptions/{AZURE['subscription']}/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/hub"
GROUP = f"/subscriptions/{AZURE['subscription']}/resourceGroups/rg-hub"
PRIVATE = {"network": "private", "peered_network": HUB, "registry_tier": "Premium"}


def settings(**azure: object) -> dict[str, object]:
    """The content of a stack file for Azure."""
    return {"personalization:target": "azure", "personalization:azure": AZURE | azure}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"peered_network": HUB}, "peered_network is for `network: private`"),
        ({"network": "private"}, "needs peered_network"),
        (PRIVATE | {"peered_network": HUB.replace("1111", "9999")}, "must be in the stack's subscription"),
        (PRIVATE | {"peered_network": "hub"}, r"azure\.peered_network is 'hub'"),
        ({"private_dns_zones": GROUP}, "private_dns_zones is for `network: private`"),
        (PRIVATE | {"private_dns_zones": GROUP.replace("1111", "9999")}, "must be in the stack's subscription"),
        (PRIVATE | {"private_dns_zones": "hub"}, r"azure\.private_dns_zones is 'hub'"),
        ({"log_analytics": "logs"}, r"azure\.log_analytics is 'logs'"),
        ({"training_group": "one", "serving_group": "one"}, "must be two groups"),
        ({"training_binary_files": True}, "training_binary_files needs training.fit synapseml"),
        (PRIVATE | {"registry_tier": "Standard"}, "needs registry_tier Premium"),
        (PRIVATE | {"authorized_ip_ranges": ["203.0.113.0/24"]}, "is for a public API server"),
        (PRIVATE | {"network_range": "10.1.0.0/24"}, "must be from /16 to /23"),
        (PRIVATE | {"network_range": "10.0.0.0/15"}, "must be from /16 to /23"),
        (PRIVATE | {"network_range": "203.0.0.0/16"}, "public addresses"),
        (PRIVATE | {"network_range": "10.0.128.0/20"}, r"overlaps 10\.0\.0\.0/16"),
        (PRIVATE | {"network_range": "10.244.0.0/16"}, r"overlaps 10\.244\.0\.0/16"),
        (PRIVATE | {"network_range": "10.1.0.1/16"}, "has host bits set"),
        (PRIVATE | {"network_range": "10.1.0.0/23", "scoring_nodes_max": 60}, "has 59 addresses for 65 nodes"),
        (PRIVATE | {"network_range": "10.1.0.0/23", "training_workers": 59}, "has 59 addresses for 60 nodes"),
    ],
)
def test_what_a_private_stack_can_not_be_is_refused(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load_settings(settings(**wrong))


def test_a_private_stack_s_network_is_divided_into_eighths() -> None:
    azure = azure_settings(load_settings(settings(**PRIVATE)))
    ranges = divided(azure.network_range)
    assert str(ranges.cluster) == "10.100.0.0/19"
    assert str(ranges.service) == "10.100.128.0/19"
    assert str(ranges.service_address) == "10.100.128.4"
