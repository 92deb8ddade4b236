"""A pod that AKS would start, and what is said when one thing of its wiring is wrong."""

from copy import deepcopy
from typing import Any

import pytest
import yaml

from tests.simulation.azure_native import AzureNative
from tests.simulation.changes import changed
from tests.simulation.examples import create_all, example
from tests.simulation.inputs.names import CLUSTER, IDENTITY, REGISTRY, VAULT, role
from tests.simulation.pod_needs import unmet
from tests.simulation.published import ROLES
from tests.simulation.services.identity import CREDENTIAL
from tests.simulation.world import DEFAULTS, World

DIGEST = "sha256:" + "d" * 64
ASSIGNMENT = "azure-native:authorization:RoleAssignment"
POD: dict[str, Any] = {
    "metadata": {"namespace": "scoring"},
    "spec": {
        "serviceAccountName": "scoring",
        "containers": [{"image": f"registryabc.azurecr.io/scoring@{DIGEST}"}],
        "volumes": [
            {"csi": {"driver": "secrets-store.csi.k8s.io", "volumeAttributes": {"secretProviderClass": "files"}}},
            {"emptyDir": {}},
        ],
    },
}


def provider_class(client: str) -> dict[str, Any]:
    """A class of one file."""
    entry = {"objectName": "scoring-key", "objectType": "secret", "objectAlias": "keys"}
    parameters = {
        "clientID": client,
        "keyvaultName": "vault-abc",
        "tenantId": DEFAULTS["tenant"],
        "objects": yaml.safe_dump({"array": [yaml.safe_dump(entry)]}),
    }
    return {"metadata": {"namespace": "scoring", "name": "files"}, "spec": {"parameters": parameters}}


def give(arm: AzureNative, number: int, scope: str, principal: str, name: str) -> None:
    """Give a role to a service principal."""
    given = {
        "roleAssignmentName": f"0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a10{number:02d}",
        "scope": scope,
        "principalId": principal,
        "principalType": "ServicePrincipal",
        "roleDefinitionId": role(ROLES[name]),
    }
    arm.create(ASSIGNMENT, given)


@pytest.fixture
def clouds(arm: AzureNative) -> AzureNative:
    """The examples, whose pods may start but for the two roles."""
    create_all(arm, until=CREDENTIAL)
    issuer = arm.world.get(CLUSTER).outputs["oidcIssuerProfile"]["issuerURL"]  # type: ignore[union-attr]  # just made
    arm.create(CREDENTIAL, example(CREDENTIAL) | {"issuer": issuer})
    arm.world.set("images", {DIGEST: {}})
    return arm


def identities(world: World) -> tuple[dict[str, Any], str]:
    """What Azure says of the pods' identity, and the object id of the nodes'."""
    pods, cluster = world.get(IDENTITY), world.get(CLUSTER)
    assert pods is not None
    assert cluster is not None
    return pods.outputs, cluster.outputs["identityProfile"]["kubeletidentity"]["objectId"]


@pytest.mark.parametrize(
    ("pull", "read", "lacking"),
    [
        ("AcrPull", "Key Vault Secrets User", []),
        ("AcrPush", "Key Vault Secrets User", []),
        ("Reader", "Key Vault Secrets User", ["the nodes may not pull from registryabc"]),
        ("AcrPull", "Key Vault Crypto User", ["the pods' identity may not read secrets of vault-abc"]),
        ("AcrPull", "Reader", ["the pods' identity may not read secrets of vault-abc"]),
    ],
)
def test_pods_need_the_right_roles(clouds: AzureNative, pull: str, read: str, lacking: list[str]) -> None:
    pods, nodes = identities(clouds.world)
    give(clouds, 1, REGISTRY, nodes, pull)
    give(clouds, 2, VAULT, pods["principalId"], read)
    assert unmet(clouds.world, [POD], [provider_class(pods["clientId"])]) == lacking


def test_a_role_on_another_resource_does_not_help(clouds: AzureNative) -> None:
    pods, nodes = identities(clouds.world)
    give(clouds, 1, VAULT, nodes, "AcrPull")
    give(clouds, 2, REGISTRY, pods["principalId"], "Key Vault Secrets User")
    assert len(unmet(clouds.world, [POD], [provider_class(pods["clientId"])])) == 2


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("clientID", "55555555-5555-4555-8555-555555555555", "no identity has the client id"),
        ("keyvaultName", "vault-xyz", "or no vault the name"),
        ("tenantId", "99999999-9999-4999-8999-999999999999", "another directory"),
        ("objects", yaml.safe_dump({"array": ["{objectName: keys, objectType: secret}"]}), "no secret keys"),
        ("objects", yaml.safe_dump({"array": ["{objectName: scoring-key, objectType: key}"]}), "no key scoring-key"),
    ],
)
def test_a_class_must_lead_to_the_vaults_secrets(clouds: AzureNative, path: str, value: str, said: str) -> None:
    pods, nodes = identities(clouds.world)
    give(clouds, 1, REGISTRY, nodes, "AcrPull")
    give(clouds, 2, VAULT, pods["principalId"], "Key Vault Secrets User")
    wrong = changed(provider_class(pods["clientId"]), f"spec.parameters.{path}", value)
    (text,) = unmet(clouds.world, [POD], [wrong])
    assert said in text


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("audiences", ["api://AzureADTokenExchanges"]),
        ("subject", "system:serviceaccount:scoring:default"),
        ("issuer", "https://other.example.com/"),
    ],
)
def test_the_identity_must_trust_the_pods_account(clouds: AzureNative, path: str, value: object) -> None:
    pods, nodes = identities(clouds.world)
    give(clouds, 1, REGISTRY, nodes, "AcrPull")
    give(clouds, 2, VAULT, pods["principalId"], "Key Vault Secrets User")
    (credential,) = clouds.world.all(CREDENTIAL)
    clouds.update(CREDENTIAL, credential.id, {**credential.inputs, path: value})
    (text,) = unmet(clouds.world, [POD], [provider_class(pods["clientId"])])
    assert "trusts no token of system:serviceaccount:scoring:scoring" in text


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("registryabc.azurecr.io/scoring:latest", "by its digest"),
        (f"other.azurecr.io/scoring@{DIGEST}", "that exists"),
        ("registryabc.azurecr.io/scoring@sha256:" + "e" * 64, "never pushed"),
    ],
)
def test_an_image_must_be_one_that_was_pushed(clouds: AzureNative, image: str, said: str) -> None:
    pods, nodes = identities(clouds.world)
    give(clouds, 1, REGISTRY, nodes, "AcrPull")
    give(clouds, 2, VAULT, pods["principalId"], "Key Vault Secrets User")
    pod = deepcopy(POD)
    pod["spec"]["containers"][0]["image"] = image
    (text,) = unmet(clouds.world, [pod], [provider_class(pods["clientId"])])
    assert said in text


def test_a_class_that_is_not_there_is_named(clouds: AzureNative) -> None:
    _, nodes = identities(clouds.world)
    give(clouds, 1, REGISTRY, nodes, "AcrPull")
    assert unmet(clouds.world, [POD], []) == ["there is no SecretProviderClass files in scoring"]
