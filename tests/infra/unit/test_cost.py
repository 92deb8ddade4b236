"""Cost estimates: the reference scenario calculated by hand, and the price table."""

from decimal import Decimal

import pytest
import yaml

from infra.cost.estimate import Estimate, Line, estimate
from infra.cost.prices import Figure, snapshot
from infra.cost.scenarios import of_settings, reference
from tests.support.azure_stack import SUBSCRIPTION, azure_stack
from tools.paths import ROOT


def line(bill: Estimate, name: str) -> Line:
    [found] = [line for line in bill.lines if line.name == name]
    return found


def of(**settings: object) -> Estimate:
    return estimate(of_settings("test", azure_stack(**settings)), snapshot())


def figures(low: str, likely: str, high: str) -> Figure:
    return Figure(Decimal(low), Decimal(likely), Decimal(high))


def test_the_reference_s_scenario_costs_what_its_assumptions_come_to() -> None:
    bill = estimate(reference(), snapshot())
    expected = {
        # on average two of the three nodes run: 2 * 730 h = 1460 h at 0.14 to 0.25, the middle is 0.195
        "scoring nodes": figures("204.40", "284.70", "365.00"),
        # 2 disks at 10, 25 % either way
        "disks of the nodes": figures("15.00", "20.00", "25.00"),
        # 730 h at 0.10
        "AKS tier Standard": figures("73.00", "73.00", "73.00"),
        # 730 h at 0.025 = 18.25, 25 % either way: 13.6875 and 22.8125
        "load balancer": figures("13.69", "18.25", "22.81"),
        # 2 * 730 h = 1460 h at 0.005 = 7.30, 25 % either way: 5.475 and 9.125
        "public addresses": figures("5.48", "7.30", "9.13"),
        # 30 days at 0.6666 = 19.998
        "registry Standard": figures("20.00", "20.00", "20.00"),
        # 20 GB at 0.0208 = 0.416
        "storage Standard_LRS": figures("0.42", "0.42", "0.42"),
        # 12 nodes * 30 days * 1 h = 360 h at 0.58 to 0.83, the middle is 0.705
        "training nodes": figures("208.80", "253.80", "298.80"),
        # 360 h * 8 cores * 0.25 DBU per core-hour (25 % either way) = 540, 720, 900 DBU at 0.30
        "Databricks units": figures("162.00", "216.00", "270.00"),
    }
    assert {line.name: line.usd for line in bill.lines} == expected
    # 204.40 + 15.00 + 73.00 + 13.69 + 5.48 + 20.00 + 0.42; 284.70 + 20.00 + 73.00 + 18.25 + 7.30 + 20.00 + 0.42; ...
    assert bill.total("always_on") == figures("331.99", "423.67", "515.36")
    # 208.80 + 162.00; 253.80 + 216.00; 298.80 + 270.00
    assert bill.total("training") == figures("370.80", "469.80", "568.80")
    assert bill.total() == figures("702.79", "893.47", "1084.16")


def test_a_stack_pays_for_what_its_settings_keep_on() -> None:
    bill = of(
        system_vm_size="Standard_D4s_v5",
        scoring_vm_size="Standard_D4s_v5",
        system_nodes_min=1,
        scoring_nodes_min=3,
        scoring_nodes_max=9,
        training_workers=3,
        training_vm_size="Standard_E8s_v5",
    )
    assert line(bill, "system nodes").usd == Figure.exact(Decimal("140.16"))  # 730 * 0.192
    assert line(bill, "scoring nodes").usd == Figure.exact(Decimal("420.48"))  # 3 * 730 * 0.192
    assert line(bill, "disks of the nodes").quantity.likely == 1 + 3, "these sizes have no disk of their own"
    assert line(bill, "training nodes").usd == Figure.exact(Decimal("60.48"))  # 4 * 30 * 0.504
    assert line(bill, "Databricks units").quantity.likely == 4 * 30 * 8 * Decimal("0.25")
    assert "AKS tier Standard" not in {line.name for line in bill.lines}


def test_stack_dev_costs_what_its_one_node_and_its_parts_come_to() -> None:
    content = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8"))["config"]
    bill = of(**content["personalization:azure"])
    expected = {
        # 730 h at 0.226, 25 % either way: 0.1695 and 0.2825
        "system nodes": figures("123.74", "164.98", "206.23"),
        "NAT gateway": figures("27.00", "36.00", "45.00"),
        # as in the reference's scenario
        "load balancer": figures("13.69", "18.25", "22.81"),
        "public addresses": figures("5.48", "7.30", "9.13"),
        # 30 days at 0.1666 = 4.998
        "registry Basic": figures("5.00", "5.00", "5.00"),
        "storage Standard_LRS": figures("0.42", "0.42", "0.42"),
        # processor and memory of the nodes at 0.10, failed trainings at 1.50
        "metric alerts": figures("0.20", "0.20", "0.20"),
        "query alerts": figures("1.50", "1.50", "1.50"),
    }
    assert {line.name: line.usd for line in bill.lines if line.part == "always_on"} == expected
    assert bill.total("always_on") == figures("177.03", "233.65", "290.29")


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_every_alert_that_a_stack_creates_is_on_its_bill(stack: str) -> None:
    page = pytest.importorskip("tests.infra.wiring.page", reason="needs `uv sync --inexact --extra azure`")
    content = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
    bill = of(**content["personalization:azure"])
    for name, kind in ("metric alerts", "MetricAlert"), ("query alerts", "ScheduledQueryRule"):
        assert line(bill, name).quantity.likely == len(page.resources(stack, f"monitor:{kind}"))


def test_a_private_stack_pays_for_its_endpoints_and_zones_and_for_one_public_address_alone() -> None:
    hub = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/hub"
    bill = of(network="private", peered_network=hub, registry_tier="Premium")
    # nine endpoints and the one that AKS creates: 10 * 730 h at 0.01
    assert line(bill, "private endpoints").usd == figures("73.00", "73.00", "73.00")
    # zones of eight Azure services and of the scoring service, at 0.50
    assert line(bill, "private DNS zones").usd == figures("4.50", "4.50", "4.50")
    # 30 days at 1.6666
    assert line(bill, "registry Premium").usd == figures("50.00", "50.00", "50.00")
    assert line(bill, "NAT gateway").usd == figures("27.00", "36.00", "45.00")
    assert "public addresses" not in {one.name for one in bill.lines}


def test_logs_cost_something_between_nothing_and_their_cap_but_for_those_in_a_given_workspace() -> None:
    collected = {"container_insights": True, "log_cap_gb": 2}
    logs = line(of(**collected), "logs, at most")
    assert logs.usd == figures("0.00", "154.00", "192.50")  # 30 * 2 GB less 5 free GB = 55 GB, at 2.8 and 3.5
    hub = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/hub/providers/Microsoft.OperationalInsights/workspaces/logs"
    for bill in (of(), of(**collected, log_analytics=hub)):
        assert "logs, at most" not in {line.name for line in bill.lines}


def test_every_unverified_price_is_a_range_and_no_other_is() -> None:
    for price in snapshot().rows.values():
        assert (price.usd.low < price.usd.high) is (price.confidence == "unverified"), price.id
        assert 0 < price.usd.low <= price.usd.likely <= price.usd.high
        assert price.source
        assert price.region
