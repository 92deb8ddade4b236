"""The pods of a stack on Azure and their logs. The answers are written by hand from Kubernetes' documentation."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from azure_clients import credentials
from azure_clients.retries import Context
from features.errors import BadInputError
from personalize.commands import status
from personalize.commands.status import azure_status as status_of
from personalize.commands.status import show_status
from personalize.stack.cluster import Cluster, ClusterUnreachableError, Pod, cluster_path
from personalize.stack.service import AUTHORITY, Service, trusting
from personalize.stack.session import StackSession
from steps.certificate import Certificate, Inputs
from tests.personalize.subscription.test_power import SETTINGS
from tests.support.fake_manager import AnyToken, FakeManager

IMAGE = "registry.azurecr.io/scoring@sha256:" + "c" * 64


def pod(name: str, *, ready: bool = True) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"nodeName": "node-1", "containers": [{"name": "scoring", "image": IMAGE}]},
        "status": {"containerStatuses": [{"ready": ready, "restartCount": 2}]},
    }


def answer(request: httpx.Request) -> httpx.Response:
    match request.url.path:
        case "/api/v1/namespaces/scoring/pods":
            labels = "app.kubernetes.io/name=scoring,app.kubernetes.io/part-of=personalization"
            assert request.url.params["labelSelector"] == labels
            return httpx.Response(200, json={"items": [pod("b", ready=False), pod("a")]})
        case path if path.endswith("/log"):
            return httpx.Response(200, text=f"one\n{request.url.params['tailLines']} lines\n")
        case _:
            return httpx.Response(404)


Answer = Callable[[httpx.Request], httpx.Response]


def cluster(handler: Answer = answer) -> Cluster:
    return Cluster(httpx.Client(transport=httpx.MockTransport(handler), base_url="https://cluster"))


@pytest.fixture(scope="module")
def authority() -> str:
    """The authority of a stack's certificate, in PEM."""
    context = Context(report=lambda _: None)
    return str(Certificate().create(Inputs(stack="dev", host="score"), context).outputs.authority)


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> FakeManager:
    """A running cluster that answers."""
    fake = FakeManager()
    fake.resources[cluster_path("dev", SETTINGS).lower()] = {"properties": {"powerState": {"code": "Running"}}}
    monkeypatch.setattr(credentials, "resource_manager", lambda _: fake.manager())
    monkeypatch.setattr(Cluster, "of", lambda *_: cluster())
    return fake


def test_the_pods_are_those_of_the_service_by_name() -> None:
    assert cluster().pods() == [
        Pod(name="a", ready=True, restarts=2, node="node-1", image=IMAGE),
        Pod(name="b", ready=False, restarts=2, node="node-1", image=IMAGE),
    ]


def test_a_pod_that_is_not_placed_yet_is_not_ready() -> None:
    waiting = {"metadata": {"name": "a"}, "spec": {"containers": [{"image": IMAGE}]}}
    [found] = cluster(lambda _: httpx.Response(200, json={"items": [waiting]})).pods()
    assert (found.ready, found.node) == (False, "")


WAITING = 'container "scoring" in pod "b" is waiting to start: trying and failing to pull image'


def half(request: httpx.Request) -> httpx.Response:
    """One pod answers with its log, the other has not started."""
    status = {"kind": "Status", "status": "Failure", "reason": "BadRequest", "code": 400, "message": WAITING}
    return httpx.Response(400, json=status) if request.url.path.endswith("/b/log") else answer(request)


@pytest.mark.parametrize(("answers", "of_b"), [(answer, ["one", "5 lines"]), (half, [WAITING])])
def test_the_log_is_that_of_each_pod_or_why_it_has_none(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], answers: Answer, of_b: list[str]
) -> None:
    monkeypatch.setattr(status, "azure_of", lambda *_: SETTINGS)
    monkeypatch.setattr(Cluster, "of", lambda *_: cluster(answers))
    status.logs(stack="dev", lines=5, as_json=True)
    assert json.loads(capfd.readouterr().out) == {"logs": {"a": ["one", "5 lines"], "b": of_b}}


def test_the_log_of_pods_is_followed_by_kubectl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "azure_of", lambda *_: SETTINGS)
    with pytest.raises(BadInputError, match="kubectl logs --namespace scoring --follow POD"):
        status.logs(stack="dev", follow=True)


def test_a_stack_without_pods_has_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "azure_of", lambda *_: SETTINGS)
    monkeypatch.setattr(Cluster, "of", lambda *_: cluster(lambda _: httpx.Response(200, json={"items": []})))
    with pytest.raises(BadInputError, match="it has no pods"):
        status.logs(stack="dev")


def test_a_caller_without_read_access_is_sent_to_doctor() -> None:
    with pytest.raises(ClusterUnreachableError, match=r"answers 403 for .* `.venv/bin/personalize doctor` tells"):
        cluster(lambda _: httpx.Response(403)).pods()


def test_a_cluster_that_does_not_answer_may_be_paused() -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(ClusterUnreachableError, match="personalize resume"):
        cluster(refuse).pods()


def test_the_cluster_is_reached_as_azure_says(monkeypatch: pytest.MonkeyPatch, authority: str) -> None:
    fake = FakeManager()
    encoded = base64.b64encode(authority.encode()).decode()
    kubeconfig = f"clusters: [{{cluster: {{server: 'https://aks', certificate-authority-data: {encoded}}}}}]"
    value = {"kubeconfigs": [{"name": "user", "value": base64.b64encode(kubeconfig.encode()).decode()}]}
    fake.answer("/listClusterUserCredential$", value)
    monkeypatch.setattr(credentials, "resource_manager", lambda _: fake.manager())
    monkeypatch.setattr("azure_clients.cluster.credential", lambda _: AnyToken())
    made: dict[str, Any] = {}
    monkeypatch.setattr("httpx.Client", lambda **options: made.update(options))
    Cluster.of("dev", SETTINGS)
    signed = next(made["auth"].auth_flow(httpx.Request("GET", "https://aks/api")))
    assert (made["base_url"], signed.headers["Authorization"]) == ("https://aks", "Bearer token")


def test_the_status_has_pods_and_links(reached: FakeManager) -> None:
    assert reached.resources
    found = status_of("dev", SETTINGS, {"databricks": "https://adb-1", "run": "https://adb-1/#job/1"})
    assert [one["name"] for one in found["cluster"]["pods"]] == ["a", "b"]
    assert found["links"]["training run"] == "https://adb-1/#job/1"
    assert found["links"]["portal"].endswith(cluster_path("dev", SETTINGS))


def test_the_status_of_a_paused_stack_says_how_to_go_on(reached: FakeManager) -> None:
    reached.resources[cluster_path("dev", SETTINGS).lower()]["properties"]["powerState"] = {"code": "Stopped"}
    assert "personalize resume --stack dev" in status_of("dev", SETTINGS, {})["cluster"]["problem"]


def test_a_cluster_that_cannot_be_reached_is_a_line_of_the_status(
    reached: FakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reached.resources
    monkeypatch.setattr(Cluster, "of", lambda *_: cluster(lambda _: httpx.Response(403)))
    assert "answers 403" in status_of("dev", SETTINGS, {})["cluster"]["problem"]


def test_the_status_tells_when_the_certificate_ends(
    reached: FakeManager, authority: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert reached.resources
    found = status_of("dev", SETTINGS, {"authority": authority})
    assert 820 < found["cluster"]["certificate_days"] <= 825
    found |= dict.fromkeys(("endpoint", "model_version", "champion", "metrics", "last_update"))
    found |= {"stack": "dev", "pinned": "latest", "service": {"ready": True}}
    show_status(found)
    found["cluster"]["certificate_days"] = 59
    show_status(found)
    screen = capfd.readouterr().out
    first, _, second = screen.partition("59 days left; `.venv/bin/personalize up --refresh` renews it")
    assert "824 days left" in first
    assert second


def test_the_authority_of_the_service_is_trusted_and_kept_for_curl(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: str
) -> None:
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path))
    session = StackSession("dev")
    outputs = {"endpoint": "https://score", "key": "secret", "authority": authority}
    service = Service.of(session, outputs)
    assert service.certificate == tmp_path / "dev" / AUTHORITY
    assert service.certificate.read_text() == authority
    assert trusting(service.certificate).get_ca_certs()
