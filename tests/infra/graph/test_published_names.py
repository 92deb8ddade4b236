"""Names that other parties publish, copied by hand from their pages: no simulation of Azure detects a wrong one.

Role IDs, regions and versions: `tests/simulation/published.py`, which cites its pages. Federated credentials: "Workload
identity federation". Secret files: the Azure provider of the Secrets Store CSI driver. Log categories and metrics:
"Supported resource logs" and "Supported metrics" in Azure Monitor's reference. SynapseML: its README for Databricks.
"""

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from infra.graph import deploy
from infra.settings import Settings
from tests.infra.graph.cloud_recorder import DEPLOYERS, SUBSCRIPTION, TENANT, CloudRecorder, run_cloud
from tests.infra.wiring.recording import committed
from tests.simulation.published import KUBERNETES, REGIONS, RUNTIMES, TEST_PLACES, role_name

USER = "somebody@example.com"
OF_DEPLOYER = {
    ("lake", "Storage Blob Data Contributor"),
    ("workspace-storage", "Storage Blob Data Contributor"),
    ("workspace-storage", "Storage File Data Privileged Contributor"),
    ("machine-learning", "AzureML Data Scientist"),
    ("registry", "AcrPush"),
    ("cluster", "Azure Kubernetes Service Cluster User Role"),
    ("cluster", "Azure Kubernetes Service RBAC Cluster Admin"),
}
NAMED_BY = {
    "azure-native:storage:StorageAccount": "accountName",
    "azure-native:storage:BlobContainer": "containerName",
    "azure-native:machinelearningservices:Workspace": "workspaceName",
    "azure-native:containerregistry:Registry": "registryName",
    "azure-native:containerservice:ManagedCluster": "resourceName",
    "azure-native:keyvault:Vault": "vaultName",
    "azure-native:applicationinsights:Component": "resourceName",
}


@pytest.fixture(scope="module")
def stack() -> CloudRecorder:
    """A small stack on Azure that recommends, with traces, all logs and metrics, and an availability test."""
    azure = {
        "subscription": SUBSCRIPTION,
        "tenant": TENANT,
        "deployers": [{"object_id": DEPLOYERS[0], "type": "User", "databricks_name": USER}],
        "alert_mail": "operators@example.com",
        "authorized_ip_ranges": "anywhere",
        "allowed_sources": "anywhere",
        "traces": True,
        "container_insights": True,
        "service_metrics": True,
        "availability_test": True,
    }
    settings = Settings.model_validate({"target": "azure", "azure": azure, "dataset": {"kind": "films"}})
    return run_cloud(lambda: deploy(settings, "test"))[0]


def only(stack: CloudRecorder, kind: str) -> dict[str, Any]:
    """The inputs of the only resource of a type."""
    (found,) = stack.of(kind)
    return found


def roles(stack: CloudRecorder) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each role assignment: its principal, then the logical name of the resource and the role's name."""
    names = {item.inputs[NAMED_BY[item.typ]]: item.name for item in stack.resources if item.typ in NAMED_BY}
    for given in stack.of("azure-native:authorization:RoleAssignment"):
        head, _, identity = given["roleDefinitionId"].rpartition("/")
        assert head == f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
        name = role_name(identity)
        assert name is not None, f"Azure publishes no role {identity}"
        yield given["principalId"], (names[given["scope"].rpartition("/")[2]], name)


def test_a_deployer_has_these_roles_on_these_resources(stack: CloudRecorder) -> None:
    assert {role for principal, role in roles(stack) if principal == DEPLOYERS[0]} == OF_DEPLOYER


def test_machines_have_these_roles_on_these_resources(stack: CloudRecorder) -> None:
    given = {
        (principal.partition("-lake-access")[0], *role)
        for principal, role in roles(stack)
        if principal not in DEPLOYERS
    }
    assert given == {
        ("principal-of", "lake", "Storage Blob Data Contributor"),
        ("principal-of-nodes", "registry", "AcrPull"),
        ("principal-of-pods", "vault", "Key Vault Secrets User"),
        ("principal-of-pods", "insights", "Monitoring Metrics Publisher"),
        ("principal-of-pods", "snapshots", "Storage Blob Data Reader"),
    }


def test_the_pods_identity_trusts_their_service_account_at_azures_own_audience(stack: CloudRecorder) -> None:
    credential = only(stack, "azure-native:managedidentity:FederatedIdentityCredential")
    account = only(stack, "kubernetes:core/v1:ServiceAccount")["metadata"]
    (deployment,) = stack.of("kubernetes:apps/v1:Deployment")
    assert credential["audiences"] == ["api://AzureADTokenExchange"]
    assert credential["issuer"] == "https://issuer.example.com/"
    assert credential["subject"] == f"system:serviceaccount:{account['namespace']}:{account['name']}"
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == account["name"]
    assert deployment["metadata"]["namespace"] == account["namespace"]


def test_the_pods_read_the_vaults_secrets_as_their_identity(stack: CloudRecorder) -> None:
    provider = only(stack, "kubernetes:secrets-store.csi.x-k8s.io/v1:SecretProviderClass")["spec"]
    vault = only(stack, "azure-native:keyvault:Vault")
    secrets = {item["secretName"] for item in stack.of("azure-native:keyvault:Secret")}
    objects = [yaml.safe_load(entry) for entry in yaml.safe_load(provider["parameters"].pop("objects"))["array"]]
    assert provider == {
        "provider": "azure",
        "parameters": {"clientID": "client-of-pods", "keyvaultName": vault["vaultName"], "tenantId": TENANT},
    }
    assert {entry["objectName"] for entry in objects} == secrets
    assert {entry["objectType"] for entry in objects} == {"secret"}
    aliases = {entry["objectAlias"]: entry["objectName"] for entry in objects}
    assert aliases == {
        "keys": "scoring-keys",
        "certificate": "scoring-certificate",
        "private-key": "scoring-private-key",
        "traces": "scoring-traces",
    }


def test_the_clusters_ranges_do_not_overlap_and_the_name_server_is_a_service(stack: CloudRecorder) -> None:
    network = only(stack, "azure-native:containerservice:ManagedCluster")["networkProfile"]
    pods, services = (ipaddress.ip_network(network[name]) for name in ("podCidr", "serviceCidr"))
    assert not pods.overlaps(services)
    assert ipaddress.ip_address(network["dnsServiceIP"]) in services
    assert network["dnsServiceIP"] != str(services[1]), "Kubernetes keeps the first address for itself"


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_a_committed_stack_asks_for_a_region_and_versions_that_there_are(name: str) -> None:
    settings = committed(name)
    assert settings.azure is not None
    assert settings.azure.location in REGIONS
    recorder = run_cloud(lambda: deploy(settings, name))[0]
    assert only(recorder, "azure-native:containerservice:ManagedCluster")["kubernetesVersion"] in KUBERNETES
    for job in recorder.of("databricks:index/job:Job"):
        (cluster,) = job["jobClusters"]
        runtime, _, scala = cluster["newCluster"]["sparkVersion"].partition(".x-scala")
        assert (RUNTIMES[runtime], scala) == ("3.5.0", "2.12"), "what SynapseML's jars are built for"


def test_databricks_may_read_the_stacks_volumes_and_write_four(stack: CloudRecorder) -> None:
    """The names are those of "Unity Catalog privileges and securable objects"."""
    grants = stack.of("databricks:index/grant:Grant")
    assert sorted(sorted(grant["privileges"]) for grant in grants) == [
        *[["CREATE_EXTERNAL_LOCATION", "MANAGE"]],
        *[["CREATE_EXTERNAL_VOLUME", "CREATE_MANAGED_STORAGE", "MANAGE"]] * 4,
        ["CREATE_SCHEMA", "CREATE_VOLUME", "MANAGE", "READ_VOLUME", "USE_CATALOG", "USE_SCHEMA"],
        *[["WRITE_VOLUME"]] * 4,
    ]


@pytest.mark.parametrize("name", ["canary-job", "training-job"])
def test_a_job_runs_the_wheel_with_what_lies_on_its_volume(stack: CloudRecorder, name: str) -> None:
    job = stack.inputs("databricks:index/job:Job", name)
    (task,) = job["tasks"]
    (cluster,) = job["jobClusters"]
    wheel_task = task["pythonWheelTask"]
    assert (wheel_task["packageName"], wheel_task["entryPoint"]) == ("personalization", "train")
    assert cluster["newCluster"]["sparkVersion"] == "15.4.x-scala2.12"
    (library,) = task["libraries"]
    assert re.fullmatch(
        r"/Volumes/\w+/training/libraries/[0-9a-f]+(-[0-9a-f]+)?/requirements\.txt", library["requirements"]
    )


def test_the_alerts_watch_metrics_that_a_cluster_has(stack: CloudRecorder) -> None:
    watched = {}
    for alert in stack.of("azure-native:monitor:MetricAlert"):
        if "webTestId" in alert["criteria"]:
            continue
        (criterion,) = alert["criteria"]["allOf"]
        watched[criterion["metricName"]] = criterion["metricNamespace"], criterion["timeAggregation"]
    assert watched == {
        "node_cpu_usage_percentage": ("Microsoft.ContainerService/managedClusters", "Average"),
        "node_memory_working_set_percentage": ("Microsoft.ContainerService/managedClusters", "Average"),
    }


def test_the_service_is_asked_from_outside_where_that_is_wanted(stack: CloudRecorder) -> None:
    (test,) = stack.of("azure-native:applicationinsights:WebTest")
    (cluster,) = [one for one in stack.of("kubernetes:core/v1:Service") if one["spec"]["type"] == "LoadBalancer"]
    label = cluster["metadata"]["annotations"]["service.beta.kubernetes.io/azure-dns-label-name"]
    assert test["request"]["requestUrl"] == f"https://{label}.westeurope.cloudapp.azure.com/readyz"
    assert (test["kind"], test["webTestKind"]) == ("standard", "standard")
    assert test["validationRules"] == {"expectedHttpStatusCode": 200, "sSLCheck": False}
    assert len({place["location"] for place in test["locations"]} & TEST_PLACES) == 5
    (component,) = stack.of("azure-native:applicationinsights:Component")
    (tag,) = [name for name in test["tags"] if name.startswith("hidden-link:")]
    assert tag.endswith(component["resourceName"])
    (alert,) = [one for one in stack.of("azure-native:monitor:MetricAlert") if "webTestId" in one["criteria"]]
    assert alert["criteria"]["odataType"] == "Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria"
    assert alert["criteria"]["failedLocationCount"] == 3
    assert {alert["criteria"]["webTestId"], alert["criteria"]["componentId"]} == set(alert["scopes"])
    assert len(alert["actions"]) == 1


@pytest.mark.parametrize(
    ("name", "logs", "metrics"),
    [
        ("cluster-logs", ["kube-audit-admin", "guard", "cluster-autoscaler"], ["AllMetrics"]),
        ("databricks-logs", ["jobs", "clusters", "accounts", "unityCatalog"], []),
        ("lake-logs", ["group allLogs"], ["Transaction"]),
        ("vault-logs", ["group allLogs"], ["AllMetrics"]),
        ("registry-logs", ["group allLogs"], ["AllMetrics"]),
        ("machine-learning-logs", ["group allLogs"], ["AllMetrics"]),
    ],
)
def test_logs_and_metrics_are_asked_for_by_the_categories_that_exist(
    stack: CloudRecorder, name: str, logs: list[str], metrics: list[str]
) -> None:
    """Groups: "Diagnostic settings in Azure Monitor". Storage has no `AllMetrics`, Databricks has no metrics."""
    setting = stack.inputs("azure-native:monitor:DiagnosticSetting", name)
    asked = [log.get("category") or f"group {log['categoryGroup']}" for log in setting["logs"]]
    assert (asked, [metric["category"] for metric in setting["metrics"]]) == (logs, metrics)
    assert all(one["enabled"] for one in (*setting["logs"], *setting["metrics"]))


def test_every_diagnostic_setting_is_one_of_these(stack: CloudRecorder) -> None:
    assert len(stack.of("azure-native:monitor:DiagnosticSetting")) == 6


def test_every_node_pool_is_of_the_version_of_the_control_plane(stack: CloudRecorder) -> None:
    cluster = only(stack, "azure-native:containerservice:ManagedCluster")
    pool = only(stack, "azure-native:containerservice:AgentPool")
    (system,) = cluster["agentPoolProfiles"]
    assert {system["orchestratorVersion"], pool["orchestratorVersion"]} == {cluster["kubernetesVersion"]}
