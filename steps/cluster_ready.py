"""Waits until the deployer has access to the cluster and its add-ons are installed, and outputs a kubeconfig.

AKS answers Forbidden for minutes after its creation, and Pulumi's Kubernetes provider does not wait.
"""

import base64
import binascii
import json
from collections.abc import Mapping

import httpx
import yaml

from azure_clients.cluster import cluster_client
from azure_clients.credentials import KUBERNETES, credential
from azure_clients.kubernetes_token import API, COMMAND
from azure_clients.resources import Directory
from azure_clients.retries import Context, Deadline, retried
from features.errors import PersonalizationError
from steps.step import AzureStep, Created, Kind, Stack, StepOutputs

REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"
NEEDED = ("secretproviderclasses.secrets-store.csi.x-k8s.io",)
"""Installed by the Key Vault add-on, and used by the workload."""
ACCESS = {
    "apiVersion": "authorization.k8s.io/v1",
    "kind": "SelfSubjectAccessReview",
    "spec": {
        "resourceAttributes": {"verb": "create", "group": "apps", "resource": "deployments", "namespace": "default"}
    },
}
"""The review of what a deployer must be able to do."""


class Inputs(Stack, Directory):
    """A cluster: its resource ID, and Azure's kubeconfig for it, in base64."""

    cluster_id: str
    kubeconfig: str


class Outputs(StepOutputs):
    """A kubeconfig without any secret."""

    access: str


class ClusterNotReadyError(PersonalizationError):
    """The deployer has no access to the cluster, or an add-on is not installed."""


class ClusterReady(AzureStep[Inputs, Outputs]):
    """Outputs a kubeconfig once the cluster can be used."""

    kind = Kind.CLUSTER_READY
    replaced_by = frozenset({"cluster_id"})

    def create(self, inputs: Inputs, context: Context) -> Created[Outputs]:
        """Wait; raises `AzureRefusedError`, or `ClusterNotReadyError` with what is missing after ten minutes."""
        cluster = _cluster(inputs.kubeconfig)
        signed_in = credential(inputs.tenant)
        retried("sign in to the cluster", lambda: signed_in.get_token(KUBERNETES), context)
        deadline = Deadline(context)
        with cluster_client(cluster, inputs.tenant) as client:
            while (missing := _missing(client)) is not None:
                if not deadline.wait(f"waiting for the cluster: {missing}"):
                    raise ClusterNotReadyError(
                        f"The cluster {inputs.cluster_id} is not ready: {missing}. Check that you are one of "
                        "`azure.deployers`, and that `azure.authorized_ip_ranges` includes this machine's address. "
                        "Then run `up` again."
                    )
        return Created(inputs.cluster_id, Outputs(access=access(cluster, inputs.tenant)))


def access(cluster: Mapping[str, str], tenant: str) -> str:
    """A kubeconfig, the same for every deployer: it signs in as the current user of the Azure CLI or workflow."""
    command = {
        "apiVersion": API,
        "command": COMMAND,
        "args": ["--tenant", tenant],
        "interactiveMode": "Never",
        "installHint": "Run it in the project's environment, where `make setup` puts this command.",
    }
    name = "personalization"
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": dict(cluster)}],
            "users": [{"name": name, "user": {"exec": command}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }
    )


def _cluster(kubeconfig: str) -> dict[str, str]:
    """The API server and its certificate authority."""
    try:
        cluster = yaml.safe_load(base64.b64decode(kubeconfig, validate=True))["clusters"][0]["cluster"]
        return {name: str(cluster[name]) for name in ("server", "certificate-authority-data")}
    except (binascii.Error, yaml.YAMLError, LookupError, TypeError) as error:
        raise ClusterNotReadyError(f"Azure's kubeconfig for the cluster cannot be read: {error!r}.") from error


def _missing(client: httpx.Client) -> str | None:
    """What the cluster lacks, in words; None if it is ready."""
    try:
        review = client.post(REVIEW, json=ACCESS)
        if not review.is_success:
            return f"its API server answers {review.status_code}"
        if not review.json()["status"]["allowed"]:
            return "the deployer's role is not effective yet"
        for definition in NEEDED:
            if not client.get(DEFINITION + definition).is_success:
                return f"its add-on has not installed `{definition}` yet"
    except httpx.TransportError as error:
        return f"its API server cannot be reached ({error})"
    return None
