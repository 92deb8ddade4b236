"""Mocks of the steps, of Azure and of Kubernetes: a resource of any other type fails the test."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi.runtime
from pulumi.runtime.mocks import MockMonitor

from personalize.stack.interrupted import AZURE_PATHS, PART
from steps.catalogue import azure_steps, local_steps
from steps.step import Step
from tests.support.azure_files import azure_is_there

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
TENANT = "22222222-2222-4222-8222-222222222222"
PEERED = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/hub"
DEPLOYERS = ("33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444")
STEPS = {
    step.token(): step
    for steps in (local_steps, *([azure_steps] if azure_is_there() else []))
    for step in steps().values()
}
SECRET_MARK = "4dabf18193072939515e22adb298388d"  # noqa: S105 - the key by which Pulumi marks a secret value
STEP_VALUES: dict[str, Any] = {
    "version": 3.0,
    "served_version": 3.0,
    "champion": 3.0,
    "metrics": {"auc": 0.75},
    "url": "https://adb-1.azuredatabricks.net",
    "digest": "sha256:" + "d" * 64,
    "certificate": "certificate.pem",
}
"""Computed values that are not named after their step and output. Numbers are floats, as the engine delivers them."""
AZURE_NAMES = {f"azure-native:{kind}": PART.findall(path)[-1] for kind, path in AZURE_PATHS.items()} | {
    "azure-native:storage:BlobServiceProperties": "blobServicesName"
}
"""Azure's types; for each, the input that holds the resource's name."""
USER_CREDENTIALS = "azure-native:containerservice:listManagedClusterUserCredentials"
OTHER_TYPES = ("databricks:index/", "kubernetes:", "pulumi:providers:")


def azure_outputs(kind: str, name: str) -> dict[str, Any]:
    """The outputs that Azure adds to a resource's inputs."""
    identity = {"type": "SystemAssigned", "principalId": f"principal-of-{name}", "tenantId": TENANT}
    added: dict[str, dict[str, Any]] = {
        "azure-native:storage:StorageAccount": {"primaryEndpoints": {"blob": f"https://{name}.blob.core.windows.net/"}},
        "azure-native:containerregistry:Registry": {"loginServer": f"{name}.azurecr.io"},
        "azure-native:databricks:Workspace": {"workspaceUrl": "adb-1.azuredatabricks.net", "workspaceId": "1"},
        "azure-native:databricks:AccessConnector": {"identity": identity},
        "azure-native:containerservice:ManagedCluster": {
            "identity": identity,
            "fqdn": f"{name}.hcp.westeurope.azmk8s.io",
            "identityProfile": {"kubeletidentity": {"objectId": "principal-of-nodes"}},
            "oidcIssuerProfile": {"enabled": True, "issuerURL": "https://issuer.example.com/"},
        },
        "azure-native:managedidentity:UserAssignedIdentity": {
            "principalId": "principal-of-cluster" if name.startswith("id-aks") else "principal-of-pods",
            "clientId": "client-of-pods",
        },
    }
    return added.get(kind, {})


def cluster_outputs(args: pulumi.runtime.MockResourceArgs) -> dict[str, Any]:
    """The outputs that Kubernetes adds: a cluster IP for each Service."""
    if args.typ != "kubernetes:core/v1:Service":
        return {}
    return {"spec": {**args.inputs["spec"], "clusterIP": "10.0.0.9"}}


@dataclass
class Recorder(pulumi.runtime.Mocks):
    """Answers as the providers would, and records the declared resources with their logical names and types."""

    resources: list[pulumi.runtime.MockResourceArgs] = field(default_factory=list)

    @property
    def steps(self) -> dict[str, dict[str, Any]]:
        """The inputs of each step, by name."""
        return {one.name: one.inputs for one in self.resources if one.typ in STEPS}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Return a resource of a known type with the outputs that its provider adds."""
        if not args.custom:
            return None, args.inputs
        self.resources.append(args)
        if args.typ in STEPS:
            return f"{args.name}-id", {**args.inputs, **_computed(STEPS[args.typ], args)}
        if args.typ in AZURE_NAMES:
            name = args.inputs[AZURE_NAMES[args.typ]]
            outputs = {**args.inputs, "name": name, **azure_outputs(args.typ, name)}
            return f"{_scope(args.inputs)}/{args.typ}/{name}", outputs
        if args.typ.startswith(OTHER_TYPES):
            return f"{args.name}-id", {**args.inputs, **cluster_outputs(args)}
        raise AssertionError(f"The program declares {args.typ}, which nobody here knows.")

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]]]:
        """Allow one call only, because its API server is the same for every identity; other results are not."""
        if args.token != USER_CREDENTIALS:
            raise AssertionError(f"The program calls {args.token}.")
        return {"kubeconfigs": [{"name": "clusterUser", "value": "a3ViZWNvbmZpZw=="}]}, []


def run(
    declare: Callable[[], dict[str, pulumi.Output[Any]]],
    stack: str = "test",
    watched: Callable[[pulumi.runtime.Mocks], MockMonitor] = MockMonitor,
) -> tuple[Recorder, dict[str, Any]]:
    """Run a program on its own event loop; return the recorder and the values of the program's outputs.

    `watched` makes the monitor that receives the program's registrations.
    """
    recorder = Recorder()
    values: dict[str, Any] = {}
    asyncio.set_event_loop(asyncio.new_event_loop())
    pulumi.runtime.set_mocks(recorder, project="personalization", stack=stack, preview=False, monitor=watched(recorder))

    def program() -> pulumi.Output[None]:
        return pulumi.Output.all(**declare()).apply(values.update)

    pulumi.runtime.test(program)()  # type: ignore[no-untyped-call]  # Pulumi gives it no types
    return recorder, values


def _computed(step: Step[Any, Any], args: pulumi.runtime.MockResourceArgs) -> dict[str, Any]:
    """A step's outputs: a known value, or else a text that names the output. Also validates the inputs."""
    assert step.check({name: _opened(value) for name, value in args.inputs.items()}) == {}
    return {name: STEP_VALUES.get(name, f"{args.name}.{name}") for name in step.outputs.model_fields}


def _opened(value: Any) -> Any:
    """The value, unwrapped if it is a secret."""
    return value["value"] if isinstance(value, Mapping) and SECRET_MARK in value else value


def _scope(inputs: dict[str, Any]) -> str:
    group = inputs.get("resourceGroupName")
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}" if group else f"/subscriptions/{SUBSCRIPTION}"
