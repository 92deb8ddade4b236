"""Resource drift: which differences the list of benign ones covers, and which are real."""

import re

import pytest

from personalize.delivery.plan import Plan
from personalize.delivery.resource_drift import Benign, allowed, drift_report, find_resource_drift
from personalize.engine.events import Change
from tests.personalize.delivery.conftest import preview, resource

WORKBOOK = "azure-native:applicationinsights:Workbook"
HIDDEN = Benign(type="azure-native:*", path='tags["hidden-*"]', reason="the portal's marks")
SAVED = Benign(type=WORKBOOK, path="serializedData", reason="arranged by hand")
LIST = (HIDDEN, SAVED)


def found(*resources: dict[str, object]) -> tuple[tuple[Change, ...], tuple[tuple[Change, str], ...]]:
    drift = find_resource_drift(Plan.read(preview(*resources)), LIST)
    return drift.real, drift.benign


def test_an_allowed_difference_is_benign_with_its_reason() -> None:
    real, benign = found(resource("workbook", WORKBOOK, "update", "serializedData", 'tags["hidden-link:x"]'))
    assert real == ()
    assert [reason for _, reason in benign] == ["arranged by hand; the portal's marks"]


@pytest.mark.parametrize(
    "change",
    [
        resource("workbook", WORKBOOK, "update", "serializedData", "displayName"),
        resource("workbook", WORKBOOK, "update"),
        resource("workbook", WORKBOOK, "create"),
        resource("workbook", WORKBOOK, "replace", "serializedData"),
        resource("vault", "azure-native:keyvault:Vault", "update", "tags.team"),
        resource("pods", "kubernetes:apps/v1:Deployment", "update", 'tags["hidden-x"]'),
    ],
    ids=["another path too", "no path known", "gone", "replaced", "another path", "another type"],
)
def test_anything_else_is_real(change: dict[str, object]) -> None:
    real, benign = found(change)
    assert len(real) == 1
    assert benign == ()


def test_brackets_and_dots_of_a_pattern_are_themselves() -> None:
    entry = Benign(type="a:b", path='spec.x["k.v"]', reason="")
    change = Change(urn="", type="a:b", name="", operation="update")
    assert entry.covers(change, 'spec.x["k.v"]')
    assert not entry.covers(change, "spec.xk")
    assert not entry.covers(change, 'spec-x["k.v"]')


def test_every_entry_of_the_list_says_why_and_is_about_a_type_by_name() -> None:
    assert allowed()
    for entry in allowed():
        assert len(entry.reason) > 20
        assert re.match(r"(azure-native|kubernetes|databricks|personalize):", entry.type)
        assert entry.path.strip("*"), "a path of nothing but stars would allow everything"


def test_nothing_that_matters_for_security_is_allowed() -> None:
    matter = [
        ("azure-native:storage:StorageAccount", "allowBlobPublicAccess"),
        ("azure-native:keyvault:Vault", "properties.enableRbacAuthorization"),
        ("azure-native:containerregistry:Registry", "adminUserEnabled"),
        ("azure-native:monitor:MetricAlert", "enabled"),
        ("kubernetes:apps/v1:Deployment", "spec.template.spec.containers[0].image"),
        ("azure-native:authorization:RoleAssignment", "principalId"),
    ]
    plan = Plan.read(preview(*(resource("it", kind, "update", path) for kind, path in matter)))
    assert len(find_resource_drift(plan, allowed()).real) == len(matter)


def test_the_scoring_pool_in_the_clusters_list_is_no_drift_and_the_cluster_s_own_pool_is() -> None:
    cluster = "azure-native:containerservice:ManagedCluster"
    plan = Plan.read(
        preview(
            resource("cluster", cluster, "update", "agentPoolProfiles[1]"),
            resource("other", cluster, "update", "agentPoolProfiles[0].vmSize"),
        )
    )
    drift = find_resource_drift(plan, allowed())
    assert [change.name for change in drift.real] == ["other"]
    assert [change.name for change, _ in drift.benign] == ["cluster"]


def test_the_report_names_what_differs_and_what_to_do() -> None:
    plan = Plan.read(
        preview(
            resource("lake", "azure-native:storage:StorageAccount", "update", "allowBlobPublicAccess"),
            resource("node-cpu", "azure-native:monitor:MetricAlert", "create"),
            resource("workbook", WORKBOOK, "update", "serializedData"),
        )
    )
    text = drift_report("dev", find_resource_drift(plan, LIST))
    assert "in 2 place(s)" in text
    assert (
        "- `lake` (`azure-native:storage:StorageAccount`) differs from the deployment: `allowBlobPublicAccess`" in text
    )
    assert "- `node-cpu` (`azure-native:monitor:MetricAlert`) is missing" in text
    assert "- `workbook`: arranged by hand" in text
    assert "`.venv/bin/personalize up --stack dev --refresh`" in text
