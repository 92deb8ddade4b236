"""What a pod needs from Azure before it starts: nodes that may pull its image, and an identity that may read the vault.

kwok starts every pod, so this is checked afterwards: which of the running pods would never start on AKS.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from tests.simulation.fakes.outside import answers
from tests.simulation.published import AUDIENCE
from tests.simulation.resource_manager.resource_type import dig
from tests.simulation.services.authorization import may
from tests.simulation.services.identity import CREDENTIAL
from tests.simulation.services.pools import CLUSTER_TYPE
from tests.simulation.world import Record, World, key_of

REGISTRY = "azure-native:containerregistry:Registry"
IDENTITY = "azure-native:managedidentity:UserAssignedIdentity"
VAULT = "azure-native:keyvault:Vault"
SECRET = "azure-native:keyvault:Secret"  # noqa: S105 - a type's name
IMAGE = re.compile(r"(?P<registry>[a-z0-9]+)\.azurecr\.io/(?P<repository>[^@:]+)@(?P<digest>sha256:[0-9a-f]{64})")
DRIVER = "secrets-store.csi.k8s.io"
CLASSES = "/apis/secrets-store.csi.x-k8s.io/v1/secretproviderclasses"
Objects = Sequence[Mapping[str, Any]]


def unmet(world: World, pods: Objects, classes: Objects) -> list[str]:
    """One sentence for each missing thing; `classes` are the cluster's SecretProviderClasses."""
    return sorted({text for pod in pods for text in [*_image(world, pod), *_files(world, pod, classes)]})


def _image(world: World, pod: Mapping[str, Any]) -> Iterator[str]:
    cluster = _only(world, CLUSTER_TYPE)
    nodes = dig(cluster.outputs, "identityProfile.kubeletidentity.objectId") if cluster else ""
    for container in pod["spec"]["containers"]:
        found = IMAGE.fullmatch(container["image"])
        registry = _named(world, REGISTRY, found["registry"]) if found else None
        if found is None or registry is None:
            yield f"{container['image']} is no image, by its digest, of a registry that exists"
        elif found["digest"] not in world.setting("images"):
            yield f"{container['image']} was never pushed"
        elif not may(world, nodes, registry.id, "AcrPull", "AcrPush"):
            yield f"the nodes may not pull from {found['registry']}"
        elif not answers(world, nodes, registry, "registry"):
            yield f"{found['registry']} answers nobody in the nodes' network"


def _files(world: World, pod: Mapping[str, Any], classes: Objects) -> Iterator[str]:
    namespace = pod["metadata"]["namespace"]
    for volume in pod["spec"].get("volumes") or ():
        wanted = volume.get("csi") or {}
        if wanted.get("driver") != DRIVER:
            continue
        name = wanted["volumeAttributes"]["secretProviderClass"]
        known = [one for one in classes if (one["metadata"]["namespace"], one["metadata"]["name"]) == (namespace, name)]
        if not known:
            yield f"there is no SecretProviderClass {name} in {namespace}"
            continue
        yield from _mount(world, pod, known[0]["spec"]["parameters"])


def _mount(world: World, pod: Mapping[str, Any], parameters: Mapping[str, str]) -> Iterator[str]:
    """The checks of the driver's Azure provider: a token for the pod's service account, then the vault's objects."""
    account = f"system:serviceaccount:{pod['metadata']['namespace']}:{pod['spec']['serviceAccountName']}"
    identity = next(
        (one for one in world.all(IDENTITY) if one.outputs["clientId"] == parameters.get("clientID")),
        None,
    )
    vault = _named(world, VAULT, parameters.get("keyvaultName", ""))
    if identity is None or vault is None:
        yield f"no identity has the client id {parameters.get('clientID')}, or no vault the name of the class"
        return
    if parameters.get("tenantId") != world.setting("tenant"):
        yield f"the vault is in another directory than {parameters.get('tenantId')}"
    if not any(_trusts(world, one, account) for one in world.all(CREDENTIAL) if _inside(one, identity)):
        yield f"the identity trusts no token of {account} from this cluster"
    if not may(world, identity.outputs["principalId"], vault.id, "Key Vault Secrets User", "Key Vault Secrets Officer"):
        yield f"the pods' identity may not read secrets of {vault.inputs['vaultName']}"
    if not answers(world, identity.outputs["principalId"], vault, "vault"):
        yield f"{vault.inputs['vaultName']} answers nobody in the nodes' network"
    for text in yaml.safe_load(parameters["objects"])["array"]:
        entry = yaml.safe_load(text)
        if entry["objectType"] != "secret" or world.get(f"{vault.id}/secrets/{entry['objectName']}") is None:
            yield f"the vault has no {entry['objectType']} {entry['objectName']}"


def _trusts(world: World, credential: Record, account: str) -> bool:
    cluster = _only(world, CLUSTER_TYPE)
    issuer = dig(cluster.outputs, "oidcIssuerProfile.issuerURL") if cluster else None
    found = {name: credential.inputs.get(name) for name in ("issuer", "subject", "audiences")}
    return found == {"issuer": issuer, "subject": account, "audiences": [AUDIENCE]}


def _only(world: World, kind: str) -> Record | None:
    return next((record for record in world.all(kind) if not record.deleting), None)


def _named(world: World, kind: str, name: str) -> Record | None:
    return next((one for one in world.all(kind) if one.id.lower().endswith(f"/{name.lower()}")), None)


def _inside(child: Record, parent: Record) -> bool:
    return key_of(child.id).startswith(key_of(parent.id) + "/")
