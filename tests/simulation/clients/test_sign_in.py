"""Who is let in: hosts without a fake, tokens, roles, and the API server's webhooks."""

import httpx
import pytest
import requests

from tests.simulation.azure_native import AzureNative
from tests.simulation.clients.calls import MANAGER, STRANGER, header
from tests.simulation.examples import example
from tests.simulation.fakes.internet import Internet
from tests.simulation.fakes.kubernetes_access import CLUSTER_ADMIN, kubernetes_access
from tests.simulation.fakes.service import Listener
from tests.simulation.inputs.names import CLUSTER, DEPLOYER, role
from tests.simulation.tokens import KUBERNETES, MANAGEMENT, STORAGE, issue
from tests.simulation.world import World


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
