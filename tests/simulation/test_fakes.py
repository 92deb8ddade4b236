"""The fakes behind Azure's own host names, called with Microsoft's and Databricks' own clients."""

import base64
import io
import os
import tarfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import requests

from tests.simulation.azure_native import AzureNative
from tests.simulation.changes import changed
from tests.simulation.databricks_cloud import Databricks
from tests.simulation.databricks_provider import TYPES
from tests.simulation.examples import CLUSTER, DEPLOYER, GROUP, LAKE, PLAIN, REGISTRY, create_all, example, role
from tests.simulation.fakes.cluster import LocalCluster
from tests.simulation.fakes.internet import Internet
from tests.simulation.fakes.kubernetes_access import CLUSTER_ADMIN, kubernetes_access
from tests.simulation.fakes.runs import Run, Runs, TaskFailedError
from tests.simulation.fakes.service import Listener
from tests.simulation.faults import FaultKind
from tests.simulation.services import databricks as workspaces
from tests.simulation.services.jobs import FILE, JOB
from tests.simulation.test_databricks_refusals import EXAMPLES
from tests.simulation.tokens import KUBERNETES, MANAGEMENT, STORAGE, issue
from tests.simulation.world import DEFAULTS, World
from tools import azurite

SUBSCRIPTION = DEFAULTS["subscription"]
MANAGER = "https://management.azure.com"
ONCE = "once"
STRANGER = "example.com:443"
NOBODY = "99999999-9999-4999-8999-999999999999"


def task(run: Run) -> str:
    """A task that fails when it is told to."""
    if "error" in run.parameters:
        raise TaskFailedError(run.parameters["error"])
    return f"trained with {run.parameters}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world of all tests here: starting the fakes takes a second or two."""
    return tmp_path_factory.mktemp("internet")


@pytest.fixture(scope="module")
def internet(folder: Path, azure_packages: None) -> Iterator[Internet]:  # noqa: ARG001 - skips before anything starts
    """The fakes over the examples; this process is led to them by its environment."""
    world = World(folder / "world")
    create_all(AzureNative(world))
    started = Internet(world, Runs(task))
    started.start()
    before = dict(os.environ)
    os.environ.update(started.environment())
    yield started
    os.environ.clear()
    os.environ.update(before)
    assert started.proxy is not None
    refused = list(started.proxy.refused)
    started.stop()
    world.close()
    assert set(refused) <= {STRANGER}


@pytest.fixture(scope="module")
def cloud(folder: Path, internet: Internet) -> Iterator[AzureNative]:  # noqa: ARG001 - it must be running
    """The Resource Manager of that world."""
    arm = AzureNative(World(folder / "world"))
    yield arm
    arm.world.close()


@pytest.fixture
def job(cloud: AzureNative) -> Iterator[int]:
    """A workspace that the caller has joined, with the example job; its id."""
    workspace = cloud.world.all(workspaces.TYPE)[0]
    cloud.world.set("members", {workspace.outputs["workspaceId"]: [DEPLOYER]})
    databricks = Databricks(cloud.world, TYPES)
    databricks.configure({"host": f"https://{workspace.outputs['workspaceUrl']}"})
    existing = cloud.world.all(JOB)
    if not existing:
        for kind, inputs in EXAMPLES:
            databricks.create(kind, inputs)
        existing = cloud.world.all(JOB)
    yield int(existing[0].id.rpartition("/")[2])
    cloud.world.set("members", {})


def header(cloud: AzureNative, scope: str, caller: str = DEPLOYER) -> dict[str, str]:
    """An Authorization header."""
    return {"Authorization": f"Bearer {issue(cloud.world, caller, scope)[0]}"}


def test_a_host_without_a_fake_is_refused_and_noted(cloud: AzureNative, internet: Internet) -> None:
    assert cloud.world.all()
    with pytest.raises(requests.exceptions.ProxyError):
        requests.get(f"https://{STRANGER}", timeout=10)
    assert internet.proxy is not None
    assert internet.proxy.refused == [STRANGER]


def test_a_call_without_a_token_or_with_one_for_somebody_else_is_refused(cloud: AzureNative) -> None:
    path = f"{MANAGER}{CLUSTER}"
    assert requests.get(path, timeout=10).status_code == 401
    assert requests.get(path, headers=header(cloud, STORAGE), timeout=10).status_code == 401
    assert requests.get(path, headers=header(cloud, MANAGEMENT), timeout=10).json()["name"] == "aks"


def test_a_token_that_has_expired_is_refused(cloud: AzureNative) -> None:
    cloud.world.set("token_seconds", -10.0)
    expired = header(cloud, MANAGEMENT)
    cloud.world.set("token_seconds", 3600.0)
    answer = requests.get(f"{MANAGER}{CLUSTER}", headers=expired, timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "ExpiredAuthenticationToken")


def test_the_command_line_credential_gets_a_token_of_the_caller(cloud: AzureNative) -> None:
    from azure.identity import AzureCliCredential

    token = AzureCliCredential().get_token(f"{MANAGER}/.default").token
    answer = requests.get(f"{MANAGER}{CLUSTER}", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert answer.status_code == 200
    assert cloud.world.setting("caller") == DEPLOYER


def test_a_workflow_exchanges_its_assertion_until_that_has_ended(cloud: AzureNative) -> None:
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import ClientAssertionCredential

    client = "55555555-5555-4555-8555-555555555555"
    cloud.world.set("clients", {client: DEPLOYER})
    assertions = iter(["first", "second"])
    credential = ClientAssertionCredential(cloud.world.setting("tenant"), client, lambda: next(assertions))
    assert credential.get_token(f"{MANAGER}/.default").token
    cloud.world.set("spent_assertions", ["second"])
    with pytest.raises(ClientAuthenticationError, match="AADSTS700024"):
        credential.get_token("https://storage.azure.com/.default")
    cloud.world.set("spent_assertions", [])


def test_a_blob_is_for_those_with_a_role(cloud: AzureNative) -> None:
    if azurite.command() is None:
        pytest.skip("needs `python -m tools.azurite`")
    from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
    from azure.identity import AzureCliCredential
    from azure.storage.blob import BlobServiceClient

    account = cloud.world.get(LAKE)
    assert account is not None
    service = BlobServiceClient(account.outputs["primaryEndpoints"]["blob"], AzureCliCredential(), retry_total=0)
    content = os.urandom(9_000_000)
    service.get_blob_client("raw", "a b/part-0.tsv").upload_blob(content, overwrite=True, max_concurrency=4)
    assert service.get_blob_client("raw", "a b/part-0.tsv").download_blob().readall() == content
    assert [item.name for item in service.get_container_client("raw").list_blobs("a b/")] == ["a b/part-0.tsv"]
    with pytest.raises(ResourceNotFoundError):
        service.get_blob_client("nowhere", "x").upload_blob(b"x")
    cloud.world.set("caller", NOBODY)
    stranger = BlobServiceClient(account.outputs["primaryEndpoints"]["blob"], AzureCliCredential(), retry_total=0)
    with pytest.raises(HttpResponseError, match="AuthorizationPermissionMismatch"):
        stranger.get_blob_client("raw", "a b/part-0.tsv").download_blob()
    cloud.world.set("caller", DEPLOYER)


def test_the_blob_client_repeats_what_is_unavailable_and_leaves_what_is_throttled_to_its_caller(
    cloud: AzureNative,
) -> None:
    if azurite.command() is None:
        pytest.skip("needs `python -m tools.azurite`")
    from azure.core.exceptions import HttpResponseError
    from azure.identity import AzureCliCredential
    from azure.storage.blob import BlobServiceClient

    service = BlobServiceClient("https://lakeabc.blob.core.windows.net", AzureCliCredential(), initial_backoff=0)
    cloud.faults.order(r"^http blob PUT", kind=FaultKind.UNAVAILABLE)
    service.get_blob_client("raw", "again").upload_blob(b"x", overwrite=True)
    cloud.faults.order(r"^http blob PUT", kind=FaultKind.THROTTLED)
    with pytest.raises(HttpResponseError, match="TooManyRequests"):
        service.get_blob_client("raw", "again").upload_blob(b"x", overwrite=True)
    assert cloud.faults.pending() == 0


def test_a_job_runs_once_for_a_token_and_shows_its_states(cloud: AzureNative, job: int) -> None:
    from databricks.sdk import WorkspaceClient

    workspace = cloud.world.all(workspaces.TYPE)[0]
    client = WorkspaceClient(
        host=f"https://{workspace.outputs['workspaceUrl']}",
        azure_workspace_resource_id=workspace.id,
        auth_type="azure-cli",
    )
    assert client.current_user.me().user_name == DEPLOYER
    assert client.metastores.current().metastore_id == "m-1"
    waiting = client.jobs.run_now(job, job_parameters={"rows": "7"}, idempotency_token=ONCE)
    run = waiting.result(timeout=timedelta(seconds=30))
    assert run.state is not None
    assert run.state.result_state is not None
    assert run.state.result_state.value == "SUCCESS"
    assert client.jobs.run_now(job, idempotency_token=ONCE).run_id == run.run_id
    assert run.tasks is not None
    assert client.jobs.get_run_output(run.tasks[0].run_id or 0).logs == "trained with {'rows': '7'}"


def test_a_failed_run_says_why_and_a_hanging_one_can_be_cancelled(cloud: AzureNative, job: int) -> None:
    from databricks.sdk import WorkspaceClient

    workspace = cloud.world.all(workspaces.TYPE)[0]
    client = WorkspaceClient(
        host=f"https://{workspace.outputs['workspaceUrl']}",
        azure_workspace_resource_id=workspace.id,
        auth_type="azure-cli",
    )
    failed = client.jobs.run_now(job, job_parameters={"error": "one class only"}).run_id
    time.sleep(0.5)
    assert client.jobs.get_run_output(failed).error == "one class only"
    cloud.world.set("run_outcomes", ["hang"])
    hanging = client.jobs.run_now(job).run_id
    client.jobs.cancel_run(hanging)
    time.sleep(0.5)
    state = client.jobs.get_run(hanging).state
    assert state is not None
    assert state.result_state is not None
    assert state.result_state.value == "CANCELED"


def test_signing_in_with_azures_headers_makes_a_member(cloud: AzureNative) -> None:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.errors import PermissionDenied

    workspace = cloud.world.all(workspaces.TYPE)[0]
    host = f"https://{workspace.outputs['workspaceUrl']}"
    with pytest.raises(PermissionDenied):
        WorkspaceClient(host=host, auth_type="azure-cli").current_user.me()
    WorkspaceClient(host=host, azure_workspace_resource_id=workspace.id, auth_type="azure-cli").current_user.me()
    assert cloud.world.setting("members")[workspace.outputs["workspaceId"]] == [DEPLOYER]
    cloud.world.set("members", {})


@pytest.mark.usefixtures("cloud")
def test_a_model_version_keeps_its_content_and_changes_its_tags() -> None:
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import Environment, Model
    from azure.core.exceptions import HttpResponseError
    from azure.identity import AzureCliCredential

    client = MLClient(AzureCliCredential(), SUBSCRIPTION, GROUP, "models", enable_telemetry=False)
    place = f"azureml://subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/workspaces/models/datastores/d/paths/ctr/1"
    model = client.models.create_or_update(
        Model(name="ctr", version="1", type="custom_model", path=place, tags={"a": "1"})
    )
    model.tags["champion"] = "true"
    client.models.create_or_update(model)
    assert client.models.get("ctr", "1").tags == {"a": "1", "champion": "true"}
    assert [item.version for item in client.models.list("ctr")] == ["1"]
    with pytest.raises(HttpResponseError, match="can't be changed"):
        client.models.create_or_update(Model(name="ctr", version="1", type="custom_model", path=f"{place}0"))
    image = "registryabc.azurecr.io/scoring@sha256:" + "0" * 64
    client.environments.create_or_update(Environment(name="scoring", version="1", image=image))
    assert client.environments.get("scoring", "1").image == image


def test_a_model_is_uploaded_from_a_folder_and_comes_back_the_same(cloud: AzureNative, tmp_path: Path) -> None:
    if azurite.command() is None:
        pytest.skip("needs `python -m tools.azurite`")
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import Model
    from azure.identity import AzureCliCredential

    kind = "azure-native:authorization:RoleAssignment"
    cloud.create(kind, example(kind) | {"scope": PLAIN, "roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0044"})
    bundle = tmp_path / "bundle"
    (bundle / "counts").mkdir(parents=True)
    (bundle / "model.txt").write_text("tree")
    (bundle / "counts" / "all.parquet").write_bytes(b"1" * 1000)
    client = MLClient(AzureCliCredential(), SUBSCRIPTION, GROUP, "models", enable_telemetry=False)
    made = client.models.create_or_update(Model(name="uploaded", type="custom_model", path=str(bundle)))
    assert made.version == "1"
    client.models.download("uploaded", "1", download_path=str(tmp_path / "back"))
    back = tmp_path / "back" / "uploaded" / "bundle"
    assert (back / "model.txt").read_text() == "tree"
    assert (back / "counts" / "all.parquet").read_bytes() == b"1" * 1000


def test_a_preflight_learns_of_names_providers_and_roles(cloud: AzureNative) -> None:
    base = f"{MANAGER}/subscriptions/{SUBSCRIPTION}"
    headers = header(cloud, MANAGEMENT)

    def name(wanted: str) -> bool:
        path = f"{base}/providers/Microsoft.Storage/checkNameAvailability"
        body = {"name": wanted, "type": "Microsoft.Storage/storageAccounts"}
        return bool(requests.post(path, json=body, headers=headers, timeout=10).json()["nameAvailable"])

    assert [name("lakeabc"), name("Bad_Name"), name("free123")] == [False, False, True]
    cloud.world.set("registered_providers", ["Microsoft.Storage"])
    vaults = f"{base}/providers/Microsoft.KeyVault"
    assert requests.get(vaults, headers=headers, timeout=10).json()["registrationState"] == "NotRegistered"
    requests.post(f"{vaults}/register", headers=headers, timeout=10).raise_for_status()
    assert requests.get(vaults, headers=headers, timeout=10).json()["registrationState"] == "Registered"
    cloud.world.set("registered_providers", None)
    roles = requests.get(
        f"{MANAGER}{LAKE}/providers/Microsoft.Authorization/roleAssignments", headers=headers, timeout=10
    ).json()["value"]
    mine = {item["properties"]["scope"] for item in roles if item["properties"]["principalId"] == DEPLOYER}
    assert mine >= {LAKE, f"/subscriptions/{SUBSCRIPTION}"}


def context(files: dict[str, str]) -> bytes:
    """A build context."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def test_an_image_is_built_from_its_context_and_kept_by_its_digest(cloud: AzureNative, folder: Path) -> None:
    from azure.identity import AzureCliCredential
    from azure.mgmt.containerregistrytasks import ContainerRegistryTasksMgmtClient
    from azure.mgmt.containerregistrytasks.models import DockerBuildRequest, PlatformProperties

    assert cloud.world.get(REGISTRY) is not None
    client = ContainerRegistryTasksMgmtClient(AzureCliCredential(), SUBSCRIPTION)
    place = client.registries.get_build_source_upload_url(GROUP, "registryabc")
    assert place.upload_url is not None
    files = {"Dockerfile": "FROM scratch", "app/main.py": "print(1)"}
    requests.put(place.upload_url, data=context(files), timeout=10).raise_for_status()
    request = DockerBuildRequest(
        docker_file_path="Dockerfile",
        image_names=["scoring:abc"],
        source_location=place.relative_path,
        is_push_enabled=True,
        platform=PlatformProperties(os="Linux", architecture="amd64"),
    )
    started = client.registries.schedule_run(GROUP, "registryabc", request)
    assert started.properties is not None
    run = client.runs.get(GROUP, "registryabc", started.properties.run_id or "")
    assert run.properties is not None
    assert run.properties.status == "Succeeded"
    assert run.properties.output_images is not None
    digest = run.properties.output_images[0].digest or ""
    assert (folder / "world" / "images" / digest.removeprefix("sha256:") / "app" / "main.py").read_text() == "print(1)"
    cloud.world.set("build_outcomes", ["fail"])
    failed = client.registries.schedule_run(GROUP, "registryabc", request)
    assert failed.properties is not None
    shown = client.runs.get(GROUP, "registryabc", failed.properties.run_id or "")
    assert shown.properties is not None
    assert shown.properties.status == "Failed"
    link = client.runs.get_log_sas_url(GROUP, "registryabc", failed.properties.run_id or "").log_link
    assert "the test ordered it" in requests.get(link or "", timeout=10).text


def test_a_subscription_without_tasks_says_so(cloud: AzureNative) -> None:
    cloud.world.set("tasks_allowed", value=False)
    path = f"{MANAGER}{REGISTRY}/scheduleRun"
    answer = requests.post(path, headers=header(cloud, MANAGEMENT), json={}, timeout=10)
    cloud.world.set("tasks_allowed", value=True)
    assert answer.json()["error"]["code"] == "TasksOperationsNotAllowed"


def test_sizes_zones_and_quota_can_be_asked_for(cloud: AzureNative) -> None:
    base = f"{MANAGER}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute"
    cloud.world.set("restricted_sizes", ["Standard_L8s_v3"])
    sizes = requests.get(
        f"{base}/skus", params={"$filter": "location eq 'westeurope'"}, headers=header(cloud, MANAGEMENT), timeout=10
    ).json()["value"]
    assert [size["name"] for size in sizes if size["restrictions"]] == ["Standard_L8s_v3"]
    usages = requests.get(f"{base}/locations/westeurope/usages", headers=header(cloud, MANAGEMENT), timeout=10).json()
    used = {usage["name"]["value"]: usage["currentValue"] for usage in usages["value"]}
    assert used["standardDDSv5Family"] == 8


def test_the_api_servers_webhooks_know_tokens_and_roles(cloud: AzureNative) -> None:
    with httpx.Client(trust_env=False) as client:
        listener = Listener(kubernetes_access(World(cloud.world.folder)))
        base = f"http://127.0.0.1:{listener.start()}"
        token = issue(cloud.world, DEPLOYER, KUBERNETES)[0]
        review = client.post(f"{base}/authenticate", json={"spec": {"token": token}}).json()
        assert review["status"]["user"]["username"] == DEPLOYER
        assert not client.post(f"{base}/authenticate", json={"spec": {"token": "x"}}).json()["status"]["authenticated"]
        asked = {"spec": {"user": DEPLOYER, "resourceAttributes": {"verb": "create", "namespace": "scoring"}}}
        assert not client.post(f"{base}/authorize", json=asked).json()["status"]["allowed"]
        kind = "azure-native:authorization:RoleAssignment"
        assignment = example(kind) | {"scope": CLUSTER, "roleDefinitionId": role(CLUSTER_ADMIN)}
        cloud.create(kind, assignment | {"roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0042"})
        assert client.post(f"{base}/authorize", json=asked).json()["status"]["allowed"]
        listener.stop()


def wheel_of(code: str) -> bytes:
    """A wheel `tool` with the entry point `train` and the module's `code`."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("tool.py", code)
        archive.writestr("tool-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tool\nVersion: 1\n")
        archive.writestr("tool-1.dist-info/entry_points.txt", "[console_scripts]\ntrain = tool:train\n")
        archive.writestr("tool-1.dist-info/RECORD", "")
    return packed.getvalue()


COPY_LINES = """
import sys
from pathlib import Path

def train():
    source, target = map(Path, sys.argv[1:3])
    from pyspark.dbutils import DBUtils
    made = Path("made.txt")
    made.write_text(str(sum(len(path.read_text()) for path in source.rglob("*.tsv"))))
    DBUtils(None).fs.cp(f"file:{made.absolute()}", f"{target}/made.txt")
    print("copied")
    return 0 if source.exists() else 3
"""


def test_a_cluster_runs_the_wheel_of_the_job_on_the_lake(cloud: AzureNative, job: int, internet: Internet) -> None:
    if azurite.command() is None:
        pytest.skip("needs `python -m tools.azurite`")
    from azure.identity import AzureCliCredential
    from azure.storage.blob import ContainerClient

    lake = ContainerClient("https://lakeabc.blob.core.windows.net", "raw", AzureCliCredential())
    lake.upload_blob("in/dt=1/part-0.tsv", b"seven77", overwrite=True)
    connector = next(item for item in cloud.world.all() if item.id.endswith("/lake-access"))
    kind = "azure-native:authorization:RoleAssignment"
    assignment = example(kind) | {
        "principalId": connector.outputs["identity"]["principalId"],
        "principalType": "ServicePrincipal",
        "roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0043",
    }
    inputs = changed(next(item for item in cloud.world.all(JOB)).inputs, "tasks.0.pythonWheelTask", {})
    url = "abfss://raw@lakeabc.dfs.core.windows.net"
    inputs["tasks"][0]["pythonWheelTask"] = {
        "packageName": "tool",
        "entryPoint": "train",
        "parameters": ["{{job.parameters.data}}", f"{url}/out"],
    }
    inputs["parameters"] = [{"name": "data", "default": f"{url}/in"}]
    stored = next(item for item in cloud.world.all(FILE))
    wheel = base64.b64encode(wheel_of(COPY_LINES)).decode()
    cloud.world.put(replace(stored, inputs=stored.inputs | {"contentBase64": wheel}))
    cluster = LocalCluster(cloud.world, internet.environment(), {"PYSPARK_SUBMIT_ARGS": ""})
    with pytest.raises(TaskFailedError, match="AuthorizationPermissionMismatch"):
        cluster(Run(900, str(job), token=None, parameters={}, inputs=inputs, caller=DEPLOYER))
    cloud.create(kind, assignment)
    assert cluster(Run(910, str(job), token=None, parameters={}, inputs=inputs, caller=DEPLOYER)) == "copied\n"
    assert lake.download_blob("out/made.txt").readall() == b"7"
    with pytest.raises(TaskFailedError, match="READ FILES"):
        cluster(Run(920, str(job), token=None, parameters={}, inputs=inputs, caller=NOBODY))
    other = {"data": url.replace("raw", "models")}
    elsewhere = Run(930, str(job), token=None, parameters=other, inputs=inputs, caller=DEPLOYER)
    with pytest.raises(TaskFailedError, match="no external location"):
        cluster(elsewhere)
