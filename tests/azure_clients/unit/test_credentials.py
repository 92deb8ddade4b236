"""Tokens: kept while they are good, asked for once by all, and never another tenant's."""

import base64
import json
import threading
import time
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import trustme

pytest.importorskip("azure.identity", reason="needs `uv sync --inexact --extra azure`")

from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from azure_clients import credentials, kubernetes_token
from azure_clients.cluster import cluster_client
from azure_clients.credentials import DATABRICKS, KUBERNETES, MANAGER_SCOPE, RememberedTokens, databricks

SCOPE = "scope"


class Issuer:
    """Issues numbered tokens that are valid for some seconds, one after the other."""

    def __init__(self, *, seconds: float = 3600, name: str = "token") -> None:
        self.seconds, self.name = seconds, name
        self.asked: list[tuple[str, ...]] = []
        self.both = threading.Event()

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.asked.append(scopes)
        if len(self.asked) > 1:
            self.both.set()
        return AccessToken(f"{self.name}-{len(self.asked)}", int(time.time() + self.seconds))


@pytest.fixture(autouse=True)
def nobody_signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "_credentials", {})


def test_a_token_is_asked_for_once_for_each_scope() -> None:
    issuer = Issuer()
    tokens = RememberedTokens(issuer)
    assert [tokens.get_token(scope).token for scope in ("a", "b", "a")] == ["token-1", "token-2", "token-1"]


def test_a_token_that_ends_within_minutes_is_renewed() -> None:
    tokens = RememberedTokens(Issuer(seconds=credentials.EARLY_SECONDS - 10))
    assert [tokens.get_token(SCOPE).token for _ in range(2)] == ["token-1", "token-2"]


def test_claims_that_a_service_asks_for_need_a_new_token() -> None:
    tokens = RememberedTokens(Issuer())
    tokens.get_token(SCOPE)
    assert tokens.get_token(SCOPE, claims="more").token.endswith("2")


def test_two_threads_that_need_a_token_ask_for_one() -> None:
    """`az` takes a second, and several of them at once write the same cache."""
    issuer = Issuer()
    ask = issuer.get_token

    def slow(*scopes: str, **options: Any) -> AccessToken:
        found = ask(*scopes, **options)
        issuer.both.wait(0.5)  # ends at once if another call gets in
        return found

    issuer.get_token = slow  # type: ignore[method-assign]  # the same, slower
    tokens, ready = RememberedTokens(issuer), threading.Barrier(2)
    threads = [threading.Thread(target=lambda: (ready.wait(), tokens.get_token(SCOPE))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(issuer.asked) == 1


def test_each_tenant_has_its_own_tokens_and_a_rejection_drops_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "_signed_in", lambda tenant: Issuer(name=tenant))
    found = [credentials.credential(tenant).get_token(SCOPE).token for tenant in ("one", "two", "one")]
    assert found == ["one-1", "two-1", "one-1"]
    credentials.forget_tokens()
    assert [credentials.credential(tenant).get_token(SCOPE).token for tenant in ("one", "two")] == ["one-2", "two-2"]


def test_databricks_gets_a_token_of_its_own_and_one_for_azures_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = Issuer()
    monkeypatch.setattr(credentials, "_signed_in", lambda _: issuer)
    workspace = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w"
    monkeypatch.setattr("databricks.sdk.WorkspaceClient", lambda *, credentials_strategy, **_: credentials_strategy)
    strategy: Any = databricks("tenant", "https://adb-1.2.azuredatabricks.net", workspace)
    headers = strategy(None)()
    scopes = dict(zip(("token-1", "token-2"), issuer.asked, strict=True))
    assert scopes[headers["Authorization"].removeprefix("Bearer ")] == (DATABRICKS,)
    assert scopes[headers["X-Databricks-Azure-SP-Management-Token"]] == (MANAGER_SCOPE,)
    assert headers["X-Databricks-Azure-Workspace-Resource-Id"] == workspace


@pytest.mark.parametrize(("statuses", "asked"), [([401, 200], 2), ([401, 401], 2), ([403], 1)])
def test_a_cluster_that_rejects_a_token_gets_one_new_one(
    monkeypatch: pytest.MonkeyPatch, statuses: list[int], asked: int
) -> None:
    issuer, sent = Issuer(), []
    monkeypatch.setattr(credentials, "_signed_in", lambda _: issuer)
    answers = iter(statuses)

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["authorization"])
        return httpx.Response(next(answers))

    authority = base64.b64encode(trustme.CA().cert_pem.bytes()).decode()
    described = {"server": "https://cluster.example", "certificate-authority-data": authority}
    monkeypatch.setattr(httpx, "Client", lambda **given: CLIENT(transport=httpx.MockTransport(answer), **given))
    with cluster_client(described, "tenant") as client:
        assert client.get("/version").status_code == statuses[-1]
    assert sent == [f"Bearer token-{number}" for number in range(1, asked + 1)]
    assert set(issuer.asked) == {(KUBERNETES,)}


CLIENT = httpx.Client


def test_kubectl_is_told_the_token_and_when_it_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    until_noon = SimpleNamespace(get_token=lambda *_: AccessToken("secret", 1_800_014_400))
    monkeypatch.setattr(kubernetes_token, "credential", lambda _: until_noon)
    assert kubernetes_token.main(["--tenant", "t"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["apiVersion"] == "client.authentication.k8s.io/v1"
    assert said["status"] == {"token": "secret", "expirationTimestamp": "2027-01-15T12:00:00Z"}


def test_kubectl_is_told_if_there_is_no_token(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: str) -> None:
        raise ClientAuthenticationError("Please run `az login`.")

    monkeypatch.setattr(kubernetes_token, "credential", refuse)
    assert kubernetes_token.main(["--tenant", "t"]) == 1
    said = capsys.readouterr()
    assert (said.out, "az login" in said.err) == ("", True)
