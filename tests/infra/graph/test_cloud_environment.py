"""The Azure environment under mocks: its resources, their sizes, and their role assignments."""

import json
import re
from functools import cache
from typing import Any

import pulumi
import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from infra.azure_settings import AzureSettings
from infra.cloud.cluster_environment import ClusterEnvironment
from infra.cloud.environment import Environment, EnvironmentArgs
from infra.cloud.monitoring.queries import ALERTS, CHARTS
from infra.cloud.names import Names
from infra.cloud.role_list import Role
from tests.infra.graph.cloud_recorder import DEPLOYERS, SUBSCRIPTION, TENANT, CloudRecorder, run_cloud
from tools.paths import ROOT

CLUSTER = "azure-native:containerservice:ManagedCluster"
POOL = "azure-native:containerservice:AgentPool"
ROLE = "azure-native:authorization:RoleAssignment"
ACCOUNT = "azure-native:storage:StorageAccount"


def settings(**changes: object) -> AzureSettings:
    """Settings of a small stack with two deployers."""
    values: dict[str, object] = {
        "subscription": SUBSCRIPTION,
        "tenant": TENANT,
        "deployers": [{"object_id": DEPLOYERS[0], "type": "User"}, {"object_id": DEPLOYERS[1], "type": "Group"}],
        "alert_mail": "operators@example.com",
        "authorized_ip_ranges": "anywhere",
        "allowed_sources": "anywhere",
    }
    return AzureSettings.model_validate(values | changes)


def declare(*, recommends: bool = False, **changes: object) -> CloudRecorder:
    """The recorder of the environment with these settings, which is declared once."""
    return _declared(json.dumps(changes, sort_keys=True), recommends)


@cache
def _declared(changes: str, recommends: bool) -> CloudRecorder:  # noqa: FBT001 - a key
    def program() -> dict[str, pulumi.Output[Any]]:
        wanted = settings(**json.loads(changes))
        names = Names(stack="test", subscription=SUBSCRIPTION, suffix=wanted.suffix)
        environment = Environment("environment", EnvironmentArgs(settings=wanted, names=names, recommends=recommends))
        ClusterEnvironment(environment, ())
        return {"urn": environment.urn}

    return run_cloud(program)[0]


@pytest.fixture(scope="module")
def small() -> CloudRecorder:
    """The environment with default settings."""
    return declare()


@pytest.mark.parametrize("account", ["lake", "workspace-storage"])
def test_no_account_takes_keys_or_shows_blobs(small: CloudRecorder, account: str) -> None:
    inputs = small.inputs(ACCOUNT, account)
    assert inputs["allowSharedKeyAccess"] is False
    assert inputs["allowBlobPublicAccess"] is False
    assert inputs["minimumTlsVersion"] == "TLS1_2"
    assert inputs["enableHttpsTrafficOnly"] is True


def test_machine_learning_gets_the_account_without_a_hierarchy(small: CloudRecorder) -> None:
    (workspace,) = small.of("azure-native:machinelearningservices:Workspace")
    plain = small.inputs(ACCOUNT, "workspace-storage")
    assert plain["isHnsEnabled"] is False
    assert workspace["storageAccount"].endswith(plain["accountName"])
    assert small.inputs(ACCOUNT, "lake")["isHnsEnabled"] is True
    assert workspace["systemDatastoresAuthMode"] == "Identity"


def test_only_the_named_ranges_reach_the_api_server() -> None:
    ranges = ["203.0.113.0/24", "198.51.100.7/32"]
    (cluster,) = declare(authorized_ip_ranges=ranges).of(CLUSTER)
    assert cluster["apiServerAccessProfile"]["authorizedIPRanges"] == ranges


def test_training_and_serving_lie_in_groups_of_their_own(small: CloudRecorder) -> None:
    (cluster,), (databricks,) = small.of(CLUSTER), small.of("azure-native:databricks:Workspace")
    groups = {item.inputs["resourceGroupName"] for item in small.resources if "resourceGroupName" in item.inputs}
    assert {cluster["resourceGroupName"], databricks["resourceGroupName"]} == groups
    assert len(groups) == 2


def test_nothing_that_the_program_creates_needs_rights_outside_of_the_groups(small: CloudRecorder) -> None:
    """A deployer has rights in the groups alone. What names no group names a resource in one."""
    names = Names(stack="test", subscription=SUBSCRIPTION, suffix="a")
    groups = {names.training_group, names.serving_group}
    for item in small.resources:
        if not item.typ.startswith("azure-native:"):
            continue
        scope = item.inputs.get("resourceGroupName") or item.inputs.get("scope") or item.inputs["resourceUri"]
        name = scope.partition("/resourceGroups/")[2].partition("/")[0] or scope
        assert name in groups, item.name


def test_the_cluster_knows_entra_id_alone(small: CloudRecorder) -> None:
    (cluster,) = small.of(CLUSTER)
    assert cluster["disableLocalAccounts"] is True
    assert cluster["aadProfile"] == {"managed": True, "enableAzureRBAC": True, "tenantID": TENANT}
    assert cluster["securityProfile"]["workloadIdentity"] == {"enabled": True}
    assert cluster["oidcIssuerProfile"] == {"enabled": True}


def test_the_pool_is_what_the_settings_say() -> None:
    recorder = declare(
        scoring_vm_size="Standard_D4ds_v5", scoring_nodes_min=2, scoring_nodes_max=5, zones=["1", "2", "3"]
    )
    (pool,) = recorder.of(POOL)
    assert (pool["vmSize"], pool["minCount"], pool["maxCount"]) == ("Standard_D4ds_v5", 2, 5)
    assert pool["availabilityZones"] == ["1", "2", "3"]


def test_a_service_without_nodes_of_its_own_brings_no_pool_and_system_disks_lie_where_the_settings_say() -> None:
    recorder = declare(scoring_nodes_max=0, ephemeral_os_disks=True)
    assert recorder.of(POOL) == []
    (cluster,) = recorder.of(CLUSTER)
    (pool,) = cluster["agentPoolProfiles"]
    assert (pool["mode"], pool["osDiskType"], pool["osDiskSizeGB"]) == ("System", "Ephemeral", 64)
    assert not pool.get("nodeTaints")


def test_another_vm_size_makes_another_pool(small: CloudRecorder) -> None:
    (before,) = small.of(POOL)
    (after,) = declare(scoring_vm_size="Standard_D4ds_v5").of(POOL)
    assert before["agentPoolName"] != after["agentPoolName"]


def test_another_number_of_nodes_keeps_the_pool(small: CloudRecorder) -> None:
    (before,) = small.of(POOL)
    (after,) = declare(scoring_nodes_max=9).of(POOL)
    assert before["agentPoolName"] == after["agentPoolName"]


def test_every_deployer_gets_the_same_roles(small: CloudRecorder) -> None:
    roles = [
        {(item["scope"], item["roleDefinitionId"]) for item in small.of(ROLE) if item["principalId"] == deployer}
        for deployer in DEPLOYERS
    ]
    assert roles[0] == roles[1]
    assert len(roles[0]) == 7


def test_logs_of_storage_are_those_of_its_blob_service(small: CloudRecorder) -> None:
    inputs = small.inputs("azure-native:monitor:DiagnosticSetting", "lake-logs")
    assert inputs["resourceUri"].endswith("/blobServices/default")


@pytest.mark.parametrize("sent", [True, False])
def test_metrics_go_to_log_analytics_if_the_settings_say_so(*, sent: bool) -> None:
    settings = declare(service_metrics=sent).of("azure-native:monitor:DiagnosticSetting")
    with_metrics = [one["resourceUri"] for one in settings if one.get("metrics")]
    assert len(settings) == 6
    assert len(with_metrics) == (5 if sent else 0)  # Databricks has none


def test_container_insights_come_with_their_rule() -> None:
    recorder = declare(container_insights=True)
    (cluster,) = recorder.of(CLUSTER)
    (association,) = recorder.of("azure-native:monitor:DataCollectionRuleAssociation")
    assert cluster["addonProfiles"]["omsagent"]["config"]["useAADAuth"] == "true"
    assert association["associationName"] == "ContainerInsightsExtension"
    assert len(recorder.of("azure-native:monitor:ScheduledQueryRule")) == len(ALERTS) - 1
    (rule,) = recorder.of("azure-native:monitor:DataCollectionRule")
    (extension,) = rule["dataSources"]["extensions"]
    assert extension["extensionSettings"]["dataCollectionSettings"]["enableContainerLogV2"] is True


def test_only_pods_that_trace_may_send_to_application_insights(small: CloudRecorder) -> None:
    def publishers(recorder: CloudRecorder) -> list[tuple[str, str]]:
        publishing = [item for item in recorder.of(ROLE) if item["roleDefinitionId"].endswith(Role.METRICS_PUBLISHER)]
        return [(item["principalId"], item["scope"].rpartition("/")[2]) for item in publishing]

    assert publishers(small) == []
    ((principal, scope),) = publishers(declare(traces=True))
    assert principal == "principal-of-pods"
    assert scope == declare().of("azure-native:applicationinsights:Component")[0]["resourceName"]


@pytest.mark.parametrize("collected", [True, False])
def test_the_workbook_shows_what_is_collected(*, collected: bool) -> None:
    recorder = declare(container_insights=collected)
    (workbook,) = recorder.of("azure-native:applicationinsights:Workbook")
    items = json.loads(workbook["serializedData"])["items"]
    assert len({item["name"] for item in items}) == len(items)
    queries = [item["content"] for item in items if item["type"] == 3]
    assert [one["title"] for one in queries] == [one.title for one in CHARTS if collected or not one.of_service]
    assert all("{" not in one["query"] for one in queries)
    assert ("without-logs" in {item["name"] for item in items}) is not collected
    (cluster,) = recorder.of(CLUSTER)
    nodes = [item["content"]["resourceIds"] for item in items if item["type"] == 10]
    assert len(nodes) == 2
    assert all(one[0].endswith(cluster["resourceName"]) for one in nodes)


def test_a_service_that_recommends_has_an_alert_on_unknown_users_and_no_other_has() -> None:
    def rules(**changes: Any) -> dict[str, str]:
        found = declare(**changes).of("azure-native:monitor:ScheduledQueryRule")
        return {one["ruleName"]: one["criteria"]["allOf"][0]["query"] for one in found}

    without = rules(container_insights=True)
    ((name, query),) = rules(container_insights=True, recommends=True).items() - without.items()
    assert name.startswith("unknown-users-")
    assert query.endswith("| where recommended >= 100 and unknown > 0.5 * recommended\n")
    assert rules(recommends=True) == rules(), "its rows are in the pods' logs"


def test_every_alert_s_mail_names_its_runbook() -> None:
    recorder = declare(container_insights=True, recommends=True)
    for kind in ("MetricAlert", "ScheduledQueryRule"):
        for rule in recorder.of(f"azure-native:monitor:{kind}"):
            assert re.fullmatch(r"What to do: docs/runbooks/[\w-]+\.md", rule["description"])
            assert (ROOT / rule["description"].removeprefix("What to do: ")).is_file()


def test_without_container_insights_nothing_waits_for_their_logs(small: CloudRecorder) -> None:
    (cluster,) = small.of(CLUSTER)
    assert "omsagent" not in cluster["addonProfiles"]
    assert small.of("azure-native:monitor:DataCollectionRule") == []
    assert len(small.of("azure-native:monitor:ScheduledQueryRule")) == 1


def test_whatever_takes_tags_has_them() -> None:
    recorder = declare(tags={"owner": "team"}, container_insights=True)
    expected = {"project": "personalization", "stack": "test", "owner": "team"}
    tagged = [item for item in recorder.resources if "tags" in item.inputs]
    assert all(item.inputs["tags"] == expected for item in tagged)
    assert {item.typ.split(":")[1] for item in tagged} >= {"storage", "keyvault", "databricks", "containerservice"}


def test_another_suffix_renames_everything_that_has_a_name(small: CloudRecorder) -> None:
    other = declare(suffix="b")
    for kind, key in (
        (ACCOUNT, "accountName"),
        ("azure-native:keyvault:Vault", "vaultName"),
        ("azure-native:machinelearningservices:Workspace", "workspaceName"),
        (CLUSTER, "resourceName"),
    ):
        assert {item[key] for item in small.of(kind)}.isdisjoint(item[key] for item in other.of(kind))
