"""Resources that an organisation already has are used in place of the stack's own ones, by hand from Microsoft's pages.

"Private Link and DNS integration in hub and spoke network architectures": zones in one group, linked to every network.
"""

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from tests.infra.graph.recorder import SUBSCRIPTION
from tests.infra.wiring.page import PRIVATE
from tests.infra.wiring.recording import Declared, committed, record
from tests.infra.wiring.test_wiring import ENDPOINTS

HUB = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-names"
LOGS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-logs/providers/Microsoft.OperationalInsights/workspaces/all"
GIVEN = {
    "log_analytics": LOGS,
    "private_dns_zones": HUB,
}


@pytest.fixture(scope="module")
def stack() -> dict[str, Declared]:
    """The resources of a private stack `dev` that gets what there is, by name."""
    return {one.name: one for one in record(committed("dev", **PRIVATE, **GIVEN), "dev").resources}


def of(stack: dict[str, Declared], kind: str) -> dict[str, Declared]:
    return {name.partition(" ")[2]: one for name, one in stack.items() if name.startswith(f"{kind} ")}


def test_logs_go_to_the_given_workspace(stack: dict[str, Declared]) -> None:
    assert of(stack, "operationalinsights:Workspace") == {}
    sent = {one.inputs["workspaceId"] for one in of(stack, "monitor:DiagnosticSetting").values()}
    assert sent == {LOGS}
    (component,) = of(stack, "applicationinsights:Component").values()
    assert component.inputs["workspaceResourceId"] == LOGS


def test_endpoints_have_names_in_the_given_zones(stack: dict[str, Declared]) -> None:
    wanted = {f"{HUB}/providers/Microsoft.Network/privateDnsZones/{zone}" for *_, zones in ENDPOINTS for zone in zones}
    found = {
        config["privateDnsZoneId"]
        for one in of(stack, "network:PrivateDnsZoneGroup").values()
        for config in one.inputs["privateDnsZoneConfigs"]
    }
    assert found == wanted


def test_the_stack_s_network_is_linked_to_them_by_a_name_of_its_own_and_only_the_service_s_zone_is_made(
    stack: dict[str, Declared],
) -> None:
    (zone,) = of(stack, "privatedns:PrivateZone").values()
    assert zone.inputs["privateZoneName"] == stack["azure:Certificate service-certificate"].inputs["host"]
    own = stack["network:VirtualNetwork network"]
    links = of(stack, "privatedns:VirtualNetworkLink").values()
    given = [one.inputs for one in links if one.inputs["resourceGroupName"] == "rg-names"]
    assert {one["privateZoneName"] for one in given} == {zone for *_, zones in ENDPOINTS for zone in zones}
    assert {(one["virtualNetworkLinkName"], one["virtualNetwork"]["id"]) for one in given} == {
        (own.inputs["virtualNetworkName"], own.id)
    }
    assert len(links) - len(given) == 2, "the service's zone is linked to both networks"
