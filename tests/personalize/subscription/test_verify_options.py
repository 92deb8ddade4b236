"""What a verification sees of zones and of the pods' logs, in what Azure and the cluster answer."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from infra.azure_settings import AzureSettings
from personalize.verify.bench import Bench
from personalize.verify.stages.options import container_logs, zones
from tests.personalize.subscription.conftest import SUBSCRIPTION

CLUSTER = {"addonProfiles": {"omsagent": {"enabled": True}}}
RULE = {"dataCollectionRuleId": "/subscriptions/1/dataCollectionRules/containers"}


def bench(*, nodes: tuple[str, ...] = (), answers: tuple[dict[str, Any], ...] = (), **azure: object) -> Bench:
    """One whose cluster has scoring nodes in these zones, and whose resources answer one after the other."""
    values = {
        "subscription": SUBSCRIPTION,
        "tenant": SUBSCRIPTION,
        "deployers": [{"object_id": SUBSCRIPTION, "type": "Group"}],
        "alert_mail": "operators@example.com",
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


@pytest.mark.parametrize(
    ("answers", "holds"),
    [((CLUSTER, RULE), True), (({}, RULE), False), ((CLUSTER, {}), False)],
)
def test_logs_are_collected_by_an_agent_with_a_rule(answers: tuple[dict[str, Any], ...], *, holds: bool) -> None:
    assert container_logs(bench(answers=answers, container_insights=True)).holds is holds


def test_logs_that_nobody_asked_for_are_no_miss() -> None:
    assert container_logs(bench()).holds is None
