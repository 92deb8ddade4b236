"""What the stacks send: unchanged since its last review, within a deployer's rights, and safe.

The recordings say only that nothing has changed. So roles, what is closed, and what Azure publishes are written by hand
a second time, from the pages of learn.microsoft.com/azure that each test names.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from infra.azure_settings import AzureSettings
from infra.cloud.role_list import Role
from infra.settings import azure_settings
from personalize.bootstrap.rights import only_roles
from personalize.stack.interrupted import AZURE_PATHS
from scoring.limits import Limits
from scoring.settings import parse
from steps.serving_settings import ScoringSettings
from tests.infra.graph.recorder import DEPLOYERS, TENANT
from tests.infra.wiring.page import FOLDER, OPTIONS, PAGES, PRIVATE, recorded, resources, settings_of, text_of
from tests.infra.wiring.recording import committed, record
from tests.simulation.published import KUBERNETES, REGIONS, RUNTIMES, role_name
from tests.support.azure_native import arguments_of, faults
from tools.paths import ROOT

ROLES = "authorization:RoleAssignment"
OF_DEPLOYER = {
    ("storage:StorageAccount lake", "Storage Blob Data Contributor"),
    ("storage:StorageAccount workspace-storage", "Storage Blob Data Contributor"),
    ("storage:StorageAccount workspace-storage", "Storage File Data Privileged Contributor"),
    ("machinelearningservices:Workspace machine-learning", "AzureML Data Scientist"),
    ("containerregistry:Registry registry", "AcrPush"),
    ("containerservice:ManagedCluster cluster", "Azure Kubernetes Service Cluster User Role"),
    ("containerservice:ManagedCluster cluster", "Azure Kubernetes Service RBAC Cluster Admin"),
}
OF_MACHINES = {
    ("storage:StorageAccount lake", "Storage Blob Data Contributor"),
    ("containerregistry:Registry registry", "AcrPull"),
    ("keyvault:Vault vault", "Key Vault Secrets User"),
    ("storage:BlobContainer snapshots", "Storage Blob Data Reader"),
}
GROUPS = {"private": {"rg-hub"}}
"""Groups of the network that a private stack is deployed from: the settings name what it uses there."""
ENDPOINTS = {
    ("storage:StorageAccount lake", "blob", ("privatelink.blob.core.windows.net",)),
    ("storage:StorageAccount lake", "dfs", ("privatelink.dfs.core.windows.net",)),
    ("storage:StorageAccount workspace-storage", "blob", ("privatelink.blob.core.windows.net",)),
    ("storage:StorageAccount workspace-storage", "file", ("privatelink.file.core.windows.net",)),
    ("keyvault:Vault vault", "vault", ("privatelink.vaultcore.azure.net",)),
    ("containerregistry:Registry registry", "registry", ("privatelink.azurecr.io",)),
    (
        "machinelearningservices:Workspace machine-learning",
        "amlworkspace",
        ("privatelink.api.azureml.ms", "privatelink.notebooks.azure.net"),
    ),
    ("databricks:Workspace databricks-workspace", "databricks_ui_api", ("privatelink.azuredatabricks.net",)),
    ("databricks:Workspace databricks-workspace", "browser_authentication", ("privatelink.azuredatabricks.net",)),
}

MIXED_UP = ".criteria.allOf[].operator is 'GreaterThan'"
"""Azure has two enumerations `ConditionOperator`; azure-native has the values of one under this name."""


def only(page: str, kind: str) -> dict[str, Any]:
    """The inputs of the only resource of a kind."""
    (found,) = resources(page, kind).values()
    return found


@pytest.mark.parametrize("page", PAGES)
def test_a_stack_sends_what_was_reviewed(page: str) -> None:
    file = FOLDER / f"{page}.yaml"
    reviewed, found = file.read_text(encoding="utf-8"), text_of(page)
    assert str(ROOT) not in found
    shown = str(file.relative_to(ROOT))
    difference = "\n".join(
        difflib.unified_diff(reviewed.splitlines(), found.splitlines(), shown, "the program", lineterm="", n=6)
    )
    assert not difference, f"`make wiring` writes it down if it is meant; compare it with Azure's pages:\n{difference}"


DEPLOYMENT, VAULT = "apps/v1:Deployment deployment", "keyvault:Vault vault"
CONTAINER = "spec.template.spec.containers.0"
CLUSTER, JOB = "containerservice:ManagedCluster cluster", "databricks:Job training-job"
LIMITS = {limit.name: number for number, limit in enumerate(fields(Limits), start=300)}
"""Another value for each than any default, and than the other limits have."""
SEEN: list[tuple[str, object, str, str, object]] = [
    ("rollout_seconds", 600, DEPLOYMENT, "timeouts", ["1200s", "", ""]),  # of the first rollout, which has 900 or more
    ("rollout_seconds", 600, DEPLOYMENT, "spec.progressDeadlineSeconds", 600),
    ("rollout_seconds", 600, DEPLOYMENT, "metadata.annotations", {"pulumi.com/timeoutSeconds": "1200"}),
    ("cpu_millicores", 400, DEPLOYMENT, f"{CONTAINER}.resources.requests.cpu", "400m"),
    ("cpu_millicores", 400, DEPLOYMENT, f"{CONTAINER}.resources.limits.cpu", "400m"),
    ("memory_mib", 1024, DEPLOYMENT, f"{CONTAINER}.resources.requests.memory", "1024Mi"),
    ("memory_mib", 1024, DEPLOYMENT, f"{CONTAINER}.resources.limits.memory", "1024Mi"),
    ("allowed_sources", ["192.0.2.128/25"], "core/v1:Service load-balancer", "spec.loadBalancerSourceRanges", ...),
    ("authorized_ip_ranges", ["203.0.113.0/24"], CLUSTER, "apiServerAccessProfile.authorizedIPRanges", ...),
    ("kubernetes_version", "1.34", CLUSTER, "kubernetesVersion", ...),
    ("system_vm_size", "Standard_D8ds_v5", CLUSTER, "agentPoolProfiles.0.vmSize", ...),
    ("location", "northeurope", VAULT, "location", ...),
    ("tags", {"owner": "team"}, VAULT, "tags", {"owner": "team", "project": "personalization", "stack": "dev"}),
    ("training_timeout_minutes", 60, JOB, "timeoutSeconds", 3600),
    ("training_timeout_minutes", 60, JOB, "tasks.0.timeoutSeconds", 3600),
    ("alert_mail", "others@example.com", JOB, "emailNotifications", {"onFailures": ["others@example.com"]}),
    ("alert_mail", "others@example.com", "monitor:ActionGroup operators", "emailReceivers.0.emailAddress", ...),
]
"""Settings with values that no page has, a resource that shows each, its input, and what that is (`...`: the same)."""
VARIED = {"suffix": "b"} | {name: value for name, value, *_ in SEEN}
BY_OTHER_TESTS = {"deployers", "training_run_as", "log_analytics", "private_dns_zones", "network_range"}
NOT_SENT = {"github_repository", "github_subject", "monthly_budget"}
"""Of `bootstrap` alone."""


def test_no_setting_is_ignored() -> None:
    stacks = [azure_settings(settings_of(page)) for page in PAGES]
    same = {name for name in AzureSettings.model_fields if len({str(getattr(one, name)) for one in stacks}) == 1}
    assert same - {*VARIED, *BY_OTHER_TESTS, *NOT_SENT} == {"subscription", "tenant"}, "say where another one is seen"
    scoring = ScoringSettings.model_validate({"engine": "spark-serving", "title": "Tea shop", "workers": 3} | LIMITS)
    settings = committed("dev", **VARIED).model_copy(update={"scoring": scoring})
    declared = {one.name: {**one.options, **one.inputs} for one in record(settings, "dev").resources}
    for name, value, resource, path, wanted in SEEN:
        found: Any = declared[resource]
        for part in path.split("."):
            found = found[int(part) if part.isdigit() else part]
        assert found == (value if wanted is ... else wanted), f"{name} in {path} of {resource}"
    assert declared[VAULT]["vaultName"] != only("dev", "keyvault:Vault")["vaultName"], "the suffix"
    assert declared["azure:ServingImage image"]["target"] == "spark-serving"
    pod = declared[DEPLOYMENT]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 10 + 2 * LIMITS["drain_seconds"]
    understood = parse(["--bundle", "/model", *pod["containers"][0]["args"]])
    assert (understood.engine, understood.title, understood.workers) == ("spark-serving", "Tea shop", 3)
    assert {name: getattr(understood, name) for name in LIMITS} == LIMITS


@pytest.mark.parametrize("options", [{**VARIED, **OPTIONS, "scoring_nodes_max": 2}, PRIVATE], ids=["public", "private"])
def test_azure_knows_every_value_that_it_is_sent(options: dict[str, Any]) -> None:
    """mypy knows the fields already, but of many enumerations azure-native takes any text."""
    found = record(committed("dev", **options), "dev").resources
    checked = [one for one in found if one.options.get("provider") == "azure"]
    assert checked
    for one in checked:
        arguments = arguments_of(one.name.partition(" ")[0])
        plain = one.inputs.get("properties", {}).get("secret")  # of a Key Vault's secret the recording marks them
        inputs = {**one.inputs, **({"properties": plain} if plain else {})}
        assert [fault for fault in faults(arguments, inputs, one.name) if MIXED_UP not in fault] == []


def sent(page: str) -> dict[str, Mapping[str, Any]]:
    """The inputs of each Azure resource, by type and name."""
    found = recorded(page)["resources"].items()
    return {name: one["inputs"] for name, one in found if one.get("provider") == "azure"}


def groups(found: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """The group that each resource lies in, its own or that of the resource that it extends."""
    for name, inputs in found.items():
        own = inputs
        while "resourceGroupName" not in own:
            extended = own.get("scope") or own["resourceUri"]
            own = found[extended.partition("{")[2].partition("}")[0]]
        yield name, own["resourceGroupName"]


def test_every_resource_that_azure_refuses_to_create_again_is_found_again_by_its_path() -> None:
    """To create a setting of a parent again only changes it."""
    kinds = {name.partition(" ")[0] for page in PAGES for name in sent(page)}
    assert kinds - {"storage:BlobServiceProperties"} == AZURE_PATHS.keys()


@pytest.mark.parametrize("page", PAGES)
def test_everything_lies_in_the_stack_s_two_groups(page: str) -> None:
    """Only then may a deployer have no rights on the subscription (docs/explanation/decisions.md)."""
    found = dict(groups(sent(page)))
    elsewhere = {name: group for name, group in found.items() if not group.startswith(("rg-serving-", "rg-training-"))}
    assert set(elsewhere.values()) == GROUPS.get(page, set()), elsewhere
    assert len(set(found.values()) - set(elsewhere.values())) == 2


@pytest.mark.parametrize("page", PAGES)
def test_every_role_is_one_that_a_deployer_may_assign(page: str) -> None:
    assigned = {one["roleDefinitionId"].rpartition("/")[2] for one in resources(page, ROLES).values()}
    assert assigned
    assert all(role in only_roles(*Role) for role in assigned)


def test_deployers_and_machines_have_these_roles_on_these_resources() -> None:
    """role-based-access-control/built-in-roles, by name in `tests/simulation/published.py`."""
    given: dict[bool, set[tuple[str, str]]] = {True: set(), False: set()}
    for one in resources("dev", ROLES).values():
        name = role_name(one["roleDefinitionId"])
        assert name is not None, f"Azure publishes no role {one['roleDefinitionId']}"
        given[one["principalId"] in DEPLOYERS].add((one["scope"].strip("{}"), name))
    assert given == {True: OF_DEPLOYER, False: OF_MACHINES}


WORKFLOW, TRAINER = "aaaaaaaa-8888-4888-8888-888888888888", "bbbbbbbb-9999-4999-8999-999999999999"


@pytest.mark.parametrize(
    ("run_as", "may_create_clusters"),
    [(WORKFLOW, {WORKFLOW: True}), (TRAINER, {WORKFLOW: None, TRAINER: True}), (None, {WORKFLOW: None})],
    ids=["a deployer", "somebody else", "whoever runs up first"],
)
def test_every_deployer_is_an_admin_of_databricks_and_who_trains_may_create_clusters(
    run_as: str | None, may_create_clusters: dict[str, bool | None]
) -> None:
    """databricks/terraform-provider-databricks, docs/resources/permission_assignment.md and service_principal.md."""
    deployers = [
        {"object_id": DEPLOYERS[0], "type": "User", "databricks_name": "Somebody@Example.com"},
        {"object_id": DEPLOYERS[1], "type": "ServicePrincipal", "databricks_name": WORKFLOW.upper()},
        {"object_id": TRAINER, "type": "Group", "databricks_name": "Deployers"},
    ]
    found = record(committed("dev", deployers=deployers, training_run_as=run_as), "dev").resources
    users, applications, admins, (job,) = (
        [one for one in found if one.name.startswith(f"databricks:{kind} ")]
        for kind in ("User", "ServicePrincipal", "PermissionAssignment", "Job")
    )
    assert [one.inputs["userName"] for one in users] == ["somebody@example.com"], "as Databricks writes it"
    assert all(one.inputs["force"] for one in users + applications), "who has signed in is there already"
    asked = {one.inputs["applicationId"]: one.inputs.get("allowClusterCreate") for one in applications}
    assert asked == may_create_clusters
    assert job.inputs.get("runAs") == (None if run_as is None else {"servicePrincipalName": run_as})
    assert {tuple(one.inputs["permissions"]) for one in admins} == {("ADMIN",)}
    ids = {one.id for one in users} | {one.id for one in applications if one.inputs["applicationId"] == WORKFLOW}
    assert {one.inputs.get("principalId", one.inputs.get("groupName")) for one in admins} == {*ids, "Deployers"}
    members = {one.name: one.options["deleted_with"] for one in (*users, *applications, *admins)}
    assert {*members.values()} == {"databricks:Workspace databricks-workspace"}
    waiting = [one for one in found if one.name.startswith(("azure:LakeAccess", "azure:Volumes", "azure:TrainingJob"))]
    assert [members.keys() <= {*one.after} for one in waiting] == [True] * 3, "grants and job come after the members"


@pytest.mark.parametrize("page", ["dev", "prod"])
def test_a_committed_stack_asks_for_a_region_and_versions_that_there_are(page: str) -> None:
    settings = committed(page)
    assert settings.azure is not None
    assert settings.azure.location in REGIONS
    assert only(page, "containerservice:ManagedCluster")["kubernetesVersion"] in KUBERNETES
    for job in resources(page, "databricks:Job").values():
        (cluster,) = job["jobClusters"]
        runtime, _, scala = cluster["newCluster"]["sparkVersion"].partition(".x-scala")
        assert (RUNTIMES[runtime], scala) == ("3.5.0", "2.12"), "what SynapseML's jars are built for"


@pytest.mark.parametrize("page", PAGES)
def test_no_service_takes_keys_or_shows_anything_to_strangers(page: str) -> None:
    """storage/common/shared-key-authorization-prevent, key-vault/general/rbac-guide, aks/manage-azure-rbac,
    container-registry/container-registry-authentication, azure-monitor/app/azure-ad-authentication."""
    for account in resources(page, "storage:StorageAccount").values():
        assert (account["allowSharedKeyAccess"], account["allowBlobPublicAccess"]) == (False, False)
        assert (account["enableHttpsTrafficOnly"], account["minimumTlsVersion"]) == (True, "TLS1_2")
    assert {one["publicAccess"] for one in resources(page, "storage:BlobContainer").values()} == {"None"}
    assert only(page, "keyvault:Vault")["properties"]["enableRbacAuthorization"] is True
    registry = only(page, "containerregistry:Registry")
    assert (registry["adminUserEnabled"], registry["anonymousPullEnabled"]) == (False, False)
    assert only(page, "applicationinsights:Component")["disableLocalAuth"] is True
    cluster = only(page, "containerservice:ManagedCluster")
    assert cluster["disableLocalAccounts"] is True
    assert cluster["aadProfile"] == {"enableAzureRBAC": True, "managed": True, "tenantID": TENANT}


def test_the_cluster_waits_for_the_image_and_so_for_training_and_gate() -> None:
    """Decision 27: what fails before the service costs no cluster. The alert on trainings does not wait for it."""
    image, training = "azure:ServingImage image", "azure:TrainingRun training"
    assert {image, training, "azure:ModelVersion model"} <= waited_for("containerservice:ManagedCluster cluster")
    for name in (image, "monitor:ScheduledQueryRule failed-training"):
        assert not {one for one in waited_for(name) if one.startswith("containerservice:")}


def waited_for(name: str) -> set[str]:
    """Everything in `dev` that must exist before a resource."""
    found, before, left = recorded("dev")["resources"], set[str](), [name]
    while left:
        one = found.get(left.pop(), {})
        sources = [[one] if isinstance(one, str) else one for one in one.get("from", {}).values()]
        new = {*one.get("after", ()), *(source for several in sources for source in several)} - before
        before |= new
        left += new
    return before


@pytest.mark.parametrize("page", PAGES)
def test_a_pod_has_no_right_that_it_does_not_need(page: str) -> None:
    """kubernetes.io, "Pod Security Standards", "Network Policies": a type without rules admits nothing."""
    labels = only(page, "core/v1:Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    pod = resources(page, "apps/v1:Deployment")["deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    context = container["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert {*container["resources"]["requests"], *container["resources"]["limits"]} == {"cpu", "memory"}
    assert (context["readOnlyRootFilesystem"], context["allowPrivilegeEscalation"]) == (True, False)
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert pod["automountServiceAccountToken"] is False
    policy = only(page, "networking.k8s.io/v1:NetworkPolicy")["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    everybody, known = policy["ingress"]
    assert everybody == {"ports": [{"port": 8443, "protocol": "TCP"}]}
    assert known["ports"] == [{"port": 9090, "protocol": "TCP"}]
    assert known["from"] != []


def test_every_service_of_a_private_stack_has_its_endpoints_with_their_names() -> None:
    """private-link/private-endpoint-dns, July 2026."""
    names = {one["privateEndpointName"]: one for one in resources("private", "network:PrivateDnsZoneGroup").values()}
    found = set()
    for endpoint in resources("private", "network:PrivateEndpoint").values():
        (connection,) = endpoint["privateLinkServiceConnections"]
        (group,) = connection["groupIds"]
        configs = names[endpoint["privateEndpointName"]]["privateDnsZoneConfigs"]
        zones = tuple(
            config["privateDnsZoneId"].strip("{}").removeprefix("privatedns:PrivateZone zone-") for config in configs
        )
        found.add((connection["privateLinkServiceId"].strip("{}"), group, zones))
    assert found == ENDPOINTS


def test_nothing_of_a_private_stack_answers_the_internet() -> None:
    """aks/private-clusters; databricks/security/network/classic/private-link-simplified; of what comes by a public
    address, only the access connector reaches the lake."""
    for kind in ("containerregistry:Registry", "machinelearningservices:Workspace", "databricks:Workspace"):
        assert only("private", kind)["publicNetworkAccess"] == "Disabled", kind
    vault = only("private", "keyvault:Vault")["properties"]
    assert vault["publicNetworkAccess"] == "Disabled"
    assert vault["networkAcls"] == {"bypass": "AzureServices", "defaultAction": "Deny"}
    accounts = resources("private", "storage:StorageAccount")
    assert accounts["workspace-storage"]["publicNetworkAccess"] == "Disabled"
    lake = accounts["lake"]["networkRuleSet"]
    assert (lake["defaultAction"], lake["bypass"]) == ("Deny", "None")
    assert [rule["resourceId"] for rule in lake["resourceAccessRules"]] == ["{databricks:AccessConnector lake-access}"]
    assert only("private", "containerservice:ManagedCluster")["apiServerAccessProfile"] == {
        "enablePrivateCluster": True,
        "enablePrivateClusterPublicFQDN": True,
        "privateDNSZone": "none",
    }
    assert list(resources("private", "network:PublicIPAddress")) == ["nat-address"], "a NAT gateway lets nobody in"
    annotations = resources("private", "core/v1:Service")["load-balancer"]["metadata"]["annotations"]
    assert annotations["service.beta.kubernetes.io/azure-load-balancer-internal"] == "true"
