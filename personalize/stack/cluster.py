"""The cluster of a stack on Azure: its power, its pods and their logs."""

import base64
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import httpx
import yaml

from azure_clients import credentials
from azure_clients.cluster import cluster_client
from azure_clients.errors import ManagerRefusedError
from azure_clients.resource_manager import ResourceManager
from features.errors import PersonalizationError, reason
from infra.azure_settings import AzureSettings
from infra.cloud.names import names_of
from infra.workload.names import LABELS, NAME, NAMESPACE

CLUSTER_VERSION = "2025-09-01"


class Power(StrEnum):
    """The power state of a cluster, as Azure names it."""

    RUNNING = "Running"
    STOPPED = "Stopped"


def cluster_path(stack: str, settings: AzureSettings) -> str:
    """The Resource Manager's path of the stack's cluster."""
    names = names_of(stack, settings)
    group = settings.group_id(names.serving_group)
    return f"{group}/providers/Microsoft.ContainerService/managedClusters/{names.cluster}"


def power_of(manager: ResourceManager, path: str) -> Power | None:
    """The power state of the cluster, None if there is no cluster. Raises `ManagerRefusedError`."""
    cluster = manager.get(path, CLUSTER_VERSION)
    if cluster is None:
        return None
    state = (cluster["properties"].get("powerState") or {}).get("code")
    return Power.STOPPED if state == Power.STOPPED else Power.RUNNING


def switch(manager: ResourceManager, path: str, wanted: Power) -> bool:
    """Stop or start the cluster, and wait for it. Returns False if it is in the wanted state already.

    Raises `ManagerRefusedError`, also if there is no cluster.
    """
    if power_of(manager, path) is wanted:
        return False
    manager.post(f"{path}/{'stop' if wanted is Power.STOPPED else 'start'}", CLUSTER_VERSION)
    return True


PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
SELECTOR = ",".join(f"{name}={value}" for name, value in LABELS.items())
NOT_STARTED = 400
"""The status for the log of a container that does not run yet; the message has the cause, such as an image that can't
be pulled (Kubernetes' `validateContainerLogStatus`)."""


class ClusterUnreachableError(PersonalizationError):
    """The API server does not answer, or refuses the signed-in identity."""


@dataclass(frozen=True)
class Pod:
    """A pod of the service. `image` is the full reference; `restarts` counts its container's."""

    name: str
    ready: bool
    restarts: int
    node: str
    image: str


class Cluster:
    """The cluster of a stack."""

    def __init__(self, client: httpx.Client) -> None:
        """`client` sends requests to the API server, with a token."""
        self._client = client

    @classmethod
    def of(cls, stack: str, settings: AzureSettings) -> "Cluster":
        """The cluster of a stack, with credentials from Azure. Raises `ClusterUnreachableError`."""
        manager = credentials.resource_manager(settings.tenant)
        try:
            answer = manager.post(f"{cluster_path(stack, settings)}/listClusterUserCredential", CLUSTER_VERSION)
        except ManagerRefusedError as error:
            raise ClusterUnreachableError(
                f"Azure gives no credentials for the cluster of stack {stack}: {error}"
            ) from error
        kubeconfig = base64.b64decode(answer["kubeconfigs"][0]["value"])
        cluster = yaml.safe_load(kubeconfig)["clusters"][0]["cluster"]
        return cls(cluster_client(cluster, settings.tenant))

    def pods(self) -> list[Pod]:
        """The service's pods by name; raises `ClusterUnreachableError`."""
        answer = self._get(PODS, labelSelector=SELECTOR).json()
        return sorted((_pod(item) for item in answer["items"]), key=lambda pod: pod.name)

    def look(self, path: str) -> dict[str, Any]:
        """The API server's answer at `path`. Raises `ClusterUnreachableError`."""
        found: dict[str, Any] = self._get(path).json()
        return found

    def lines(self, pod: str, count: int) -> list[str]:
        """The last `count` lines of a pod's log, or why it has none yet. Raises `ClusterUnreachableError`."""
        answer = self._ask(f"{PODS}/{pod}/log", container=NAME, tailLines=str(count))
        if answer.status_code == NOT_STARTED:
            return [str(answer.json()["message"])]
        return _accepted(answer).text.splitlines()

    def _get(self, path: str, **query: str) -> httpx.Response:
        return _accepted(self._ask(path, **query))

    def _ask(self, path: str, **query: str) -> httpx.Response:
        try:
            return self._client.get(path, params=query)
        except httpx.HTTPError as error:
            raise ClusterUnreachableError(
                f"The cluster at {self._client.base_url} cannot be reached ({reason(error)}). If the "
                "stack is paused, `.venv/bin/personalize resume` starts it. Otherwise check that "
                "`azure.authorized_ip_ranges` includes this machine."
            ) from error


def _accepted(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    raise ClusterUnreachableError(
        f"The cluster answers {answer.status_code} for {answer.url.path}. `.venv/bin/personalize doctor` tells "
        "whether you are signed in as a deployer of the stack."
    )


def _pod(item: dict[str, Any]) -> Pod:
    status = item.get("status") or {}
    containers = status.get("containerStatuses") or []
    return Pod(
        name=item["metadata"]["name"],
        ready=bool(containers) and all(container.get("ready") for container in containers),
        restarts=sum(int(container.get("restartCount") or 0) for container in containers),
        node=(item.get("spec") or {}).get("nodeName") or "",
        image=item["spec"]["containers"][0]["image"],
    )
