"""Sign-in by the Azure CLI and by a workflow's federated identity."""

import pytest
import requests

from tests.simulation.clients.calls import MANAGER
from tests.simulation.examples.names import CLUSTER, DEPLOYER
from tests.simulation.resource_manager.azure_native import AzureNative


def test_the_azure_cli_credential_gets_a_token_of_the_caller(cloud: AzureNative) -> None:
    from azure.identity import AzureCliCredential

    token = AzureCliCredential().get_token(f"{MANAGER}/.default").token
    answer = requests.get(f"{MANAGER}{CLUSTER}", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert answer.status_code == 200
    assert cloud.world.setting("caller") == DEPLOYER


def test_a_workflow_exchanges_its_assertion_until_it_expires(cloud: AzureNative) -> None:
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
