"""The steps that wait for a workspace and a cluster, and the identity that all steps sign in with."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tenacity
import trustme
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from azure_clients.credentials import credential
from azure_clients.retries import AzureRefusedError
from steps.cluster_ready import DEFINITION, NEEDED, REVIEW, ClusterNotReadyError, ClusterReady
from steps.workspace_ready import MetastoreMissingError, PrivilegesMissingError, WorkspaceReady
from tests.simulation.fakes.service import Listener, application
from tests.simulation.faults import FaultKind
from tests.simulation.tokens import DATABRICKS, KUBERNETES
from tests.steps.provider.azure.conftest import AZURE, NOBODY, Cloud
from tests.steps.provider.azure.examples import CLUSTER, DEPLOYER
from tests.steps.provider.steps import SHORT, Recorder, Take


def test_the_deployer_becomes_a_member_by_signing_in(cloud: Cloud, take: Take) -> None:
    cloud.world.set("members", {})
    created = take(WorkspaceReady, {**AZURE, **cloud.workspace})
    assert created.outputs.model_dump() == {"url": f"https://{cloud.workspace['workspace_host']}", "metastore": "m-1"}
    assert list(cloud.world.setting("members").values()) == [[DEPLOYER]]


def test_a_stranger_is_waited_for_and_then_told_who_may_deploy(
    cloud: Cloud, take: Take, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    third_try = tenacity.stop_after_attempt(3)
    monkeypatch.setattr(tenacity, "stop_after_delay", lambda _: third_try)
    cloud.sign_in(NOBODY)
    with pytest.raises(AzureRefusedError, match=r"join the Databricks workspace.*azure\.deployers"):
        take(WorkspaceReady, {**AZURE, **cloud.workspace})
    assert "the role is not effective yet" in recorder.lines[-1]


def test_a_directory_that_does_not_know_databricks_yet_is_waited_for(
    cloud: Cloud, take: Take, recorder: Recorder
) -> None:
    cloud.world.set("services_late", {DATABRICKS: 1})
    assert take(WorkspaceReady, {**AZURE, **cloud.workspace}).outputs.metastore == "m-1"
    assert any("the directory does not know the service yet" in line for line in recorder.lines)


def test_other_sign_ins_to_databricks_on_this_machine_are_out_of_play(
    cloud: Cloud, tmp_path: Path, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {"TOKEN": "secret", "CLIENT_ID": "other", "CLIENT_SECRET": "secret", "CONFIG_PROFILE": "other"}
    for name, value in others.items():
        monkeypatch.setenv(f"DATABRICKS_{name}", value)
    (tmp_path / ".databrickscfg").write_text("[DEFAULT]\nhost = https://adb-1.azuredatabricks.net\ntoken = x\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    cloud.world.set("members", {})
    take(WorkspaceReady, {**AZURE, **cloud.workspace})
    assert list(cloud.world.setting("members").values()) == [[DEPLOYER]]


def test_a_workspace_without_a_metastore_says_who_can_make_one(cloud: Cloud, take: Take, recorder: Recorder) -> None:
    cloud.world.set("metastore", value=False)
    recorder.timeout = SHORT
    with pytest.raises(MetastoreMissingError, match="account admin"):
        take(WorkspaceReady, {**AZURE, **cloud.workspace})


def test_a_metastore_that_is_assigned_late_is_waited_for(cloud: Cloud, take: Take, recorder: Recorder) -> None:
    cloud.world.set("metastore_late", 2)
    created = take(WorkspaceReady, {**AZURE, **cloud.workspace})
    assert created.outputs.metastore == "m-1"
    assert any("waiting for Unity Catalog's metastore" in line for line in recorder.lines)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (["CREATE_STORAGE_CREDENTIAL"], "GRANT CREATE EXTERNAL LOCATION, CREATE CATALOG ON METASTORE TO"),
        (["CREATE_STORAGE_CREDENTIAL", "CREATE_EXTERNAL_LOCATION"], "GRANT CREATE CATALOG ON METASTORE TO"),
        (["CREATE_STORAGE_CREDENTIAL", "CREATE_EXTERNAL_LOCATION", "CREATE_CATALOG"], None),
        (["ALL_PRIVILEGES"], None),
        (None, None),
    ],
)
def test_a_missing_privilege_is_reported_with_what_an_admin_grants(
    cloud: Cloud, take: Take, recorder: Recorder, given: list[str] | None, missing: str | None
) -> None:
    before = cloud.world.setting("admin_privileges")
    cloud.world.set("admin_privileges", given)
    inputs = {**AZURE, **cloud.workspace}
    try:
        if missing is None:
            take(WorkspaceReady, inputs)
        else:
            recorder.timeout = SHORT
            with pytest.raises(PrivilegesMissingError, match=missing):
                take(WorkspaceReady, inputs)
            assert "waiting for privileges in Unity Catalog" in recorder.lines[-1]
    finally:
        cloud.world.set("admin_privileges", before)


@pytest.fixture
def cluster(cloud: Cloud) -> Iterator[dict[str, Any]]:
    """Inputs of a cluster that grants access at the third request and has its add-ons at the second."""
    asked: dict[str, int] = {"review": 0, "definition": 0}

    async def review(_: Request) -> Response:
        asked["review"] += 1
        return JSONResponse({"status": {"allowed": asked["review"] >= 3}})

    async def definition(_: Request) -> Response:
        asked["definition"] += 1
        return Response(status_code=200 if asked["definition"] >= 2 else 404)

    routes = [Route(REVIEW, review, methods=["POST"]), Route(DEFINITION + NEEDED[0], definition)]
    listener = Listener(application(cloud.world, "cluster", routes, audience=KUBERNETES))
    authority = base64.b64encode(trustme.CA().cert_pem.bytes()).decode()
    server = {"server": f"http://127.0.0.1:{listener.start()}", "certificate-authority-data": authority}
    given = json.dumps({"clusters": [{"name": "aks", "cluster": server}]})
    yield {**AZURE, "cluster_id": CLUSTER, "kubeconfig": base64.b64encode(given.encode()).decode()}
    listener.stop()


def test_a_cluster_is_ready_when_it_lets_the_deployer_in_and_its_add_ons_are_there(
    cloud: Cloud, take: Take, recorder: Recorder, cluster: dict[str, Any]
) -> None:
    cloud.arm.faults.order("^http cluster POST", kind=FaultKind.EXPIRED)
    created = take(ClusterReady, cluster)
    for reason in ("role is not effective", "has not installed"):
        assert any(reason in line for line in recorder.lines)
    access = json.loads(created.outputs.access)
    assert access["clusters"][0]["cluster"]["server"].startswith("http://127.0.0.1")
    assert "token" not in access["users"][0]["user"]


@pytest.mark.usefixtures("cloud")
def test_a_cluster_that_stays_closed_says_what_is_missing(
    take: Take, recorder: Recorder, cluster: dict[str, Any]
) -> None:
    broken = cluster["kubeconfig"]
    given = base64.b64decode(broken).decode().replace("127.0.0.1", "127.0.0.2")
    inputs = cluster | {"kubeconfig": base64.b64encode(given.encode()).decode()}
    recorder.timeout = SHORT
    with pytest.raises(ClusterNotReadyError, match=r"cannot be reached.*authorized_ip_ranges"):
        take(ClusterReady, inputs)


def test_a_workflow_signs_in_with_a_new_assertion_for_each_token(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    client, asked = "55555555-5555-4555-8555-555555555555", []

    async def assertion(request: Request) -> Response:
        asked.append((request.query_params["audience"], request.query_params["api"]))
        return JSONResponse({"value": f"assertion-{len(asked)}"})

    listener = Listener(application(cloud.world, "github", [Route("/token", assertion)], audience=None))
    cloud.world.set("clients", {client: DEPLOYER})
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"http://127.0.0.1:{listener.start()}/token?api=2")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "workflow")
    monkeypatch.setenv("ARM_CLIENT_ID", client)
    tenant = "66666666-6666-4666-8666-666666666666"
    for scope in ("https://storage.azure.com/.default", "https://management.azure.com/.default"):
        assert credential(tenant).get_token(scope).token
    listener.stop()
    assert asked == [("api://AzureADTokenExchange", "2")] * 2
