"""What a verification learns about zones, logs and traces from the answers of Azure and the cluster."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from infra.azure_settings import AzureSettings
from personalize.verify.bench import Bench
from personalize.verify.stages.options import asked_from_outside, container_logs, traces, zones
from tests.personalize.subscription.conftest import SUBSCRIPTION, World

CLUSTER = {"addonProfiles": {"omsagent": {"enabled": True}}}
RULE = {"dataCollectionRuleId": "/subscriptions/1/dataCollectionRules/containers"}


def bench(*, nodes: tuple[str, ...] = (), answers: tuple[dict[str, Any], ...] = (), **azure: object) -> Bench:
    """A bench of a cluster with scoring nodes in these zones; requests for resources get these answers in order."""
    values = {
        "subscription": SUBSCRIPTION,
        "tenant": SUBSCRIPTION,
        "deployers": [{"object_id": SUBSCRIPTION, "type": "Group"}],
        "alert_mail": "operators@example.com",
        "authorized_ip_ranges": "anywhere",
        "allowed_sources": "anywhere",
    }
    left = list(answers)
    labels = [{"personalization/pool": "scoring", "topology.kubernetes.io/zone": zone} for zone in nodes]
    of_the_system = {"topology.kubernetes.io/zone": "westeurope-9"}
    found = SimpleNamespace(
        stack="dev",
        settings=AzureSettings.model_validate(values | azure),
        cluster=lambda: SimpleNamespace(nodes=lambda: [*labels, of_the_system]),
        resource=lambda path, version: left.pop(0) if path and version else {},
    )
    return cast("Bench", found)


@pytest.mark.parametrize(
    ("asked", "nodes", "holds"),
    [
        ((), ("0",), None),
        (("1", "2", "3"), ("westeurope-1", "westeurope-3"), True),
        (("1", "2", "3"), ("westeurope-1", "westeurope-1"), False),
        (("1", "2"), ("westeurope-1", "westeurope-2", "westeurope-2"), True),
        (("1", "2"), ("westeurope-1", "westeurope-3"), False),
        (("1",), ("0",), False),
        (("1",), (), False),
    ],
)
def test_nodes_lie_in_as_many_of_the_zones_as_they_can(
    asked: tuple[str, ...], nodes: tuple[str, ...], *, holds: bool | None
) -> None:
    assert zones(bench(nodes=nodes, zones=list(asked), scoring_nodes_min=1)).holds is holds


def test_nodes_that_the_service_shares_are_the_system_s() -> None:
    found = bench(nodes=("westeurope-1",), zones=["1"], scoring_nodes_max=0)
    assert zones(found).holds is False
    assert zones(found).answer.startswith("0 scoring nodes")


@pytest.mark.parametrize(
    ("answers", "holds"),
    [((CLUSTER, RULE), True), (({}, RULE), False), ((CLUSTER, {}), False)],
)
def test_logs_are_collected_by_an_agent_with_a_rule(answers: tuple[dict[str, Any], ...], *, holds: bool) -> None:
    assert container_logs(bench(answers=answers, container_insights=True)).holds is holds


def test_logs_that_nobody_asked_for_are_no_miss() -> None:
    assert container_logs(bench()).holds is None


def measured(world: World, minutes: list[dict[str, float]], **azure: Any) -> Bench:
    """A bench whose Application Insights has these metrics: one item per minute, with values by aggregation."""
    subject = world.subject(**azure)
    component = subject.serving("Microsoft.Insights/components", subject.names.insights)
    path = f"{component}/providers/Microsoft.Insights/metrics"
    answer = [{"timeseries": [{"data": [{"timeStamp": "2026-11-27T05:00:00Z", **minute} for minute in minutes]}]}]
    world.fake.answer(f"GET {path}$", {"value": answer})
    manager = world.fake.manager()
    found = SimpleNamespace(settings=subject.settings, subject=subject, names=subject.names, manager=manager)
    return cast("Bench", found)


@pytest.mark.parametrize(("minutes", "holds"), [([{"count": 2.0}, {}], True), ([{"count": 0.0}], False), ([], False)])
def test_traces_have_arrived_when_application_insights_counts_them(
    world: World, minutes: list[dict[str, float]], *, holds: bool
) -> None:
    assert traces(measured(world, minutes, traces=True)).holds is holds
    assert traces(measured(world, minutes)).holds is None


@pytest.mark.parametrize(
    ("minutes", "holds"),
    [([{"average": 0.0}, {"average": 100.0}], True), ([{"average": 0.0}], False), ([{}], None), ([], None)],
)
def test_a_look_from_outside_works_when_it_ever_succeeded(
    world: World, minutes: list[dict[str, float]], *, holds: bool | None
) -> None:
    assert asked_from_outside(measured(world, minutes, availability_test=True)).holds is holds
    assert asked_from_outside(measured(world, minutes)).holds is None
