"""A real Kubernetes control plane on loopback: etcd, API server, controllers, scheduler, and simulated nodes.

Pods are admitted, scheduled and reported as running, but no container starts: kwok stands in for the kubelets.
"""

import base64
import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.simulation.certificates import Authority
from tests.simulation.processes import Process
from tests.support.ports import free_port

READY_SECONDS = 120.0
SERVICE_RANGE = "10.0.0.0/16"
POD_RANGE = "10.244.0.0/16"
APPLY = "application/apply-patch+yaml"
FIELD_MANAGER = "simulation"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DEFINITION_SECONDS = 30.0


@dataclass(frozen=True)
class Webhooks:
    """Addresses where the API server asks whose a bearer token is, and what that user may do."""

    authentication: str
    authorization: str


class ControlPlane:
    """Starts and stops the processes; files and the database are kept in `folder`, so that it can be started again."""

    def __init__(self, folder: Path, binaries: Mapping[str, Path], webhooks: Webhooks) -> None:
        """`binaries` are those of `tools.control_plane`; `webhooks` decide about everybody but the admin."""
        self._folder = folder
        self._binaries = binaries
        self._webhooks = webhooks
        self._authority = Authority(folder / "pki")
        self._processes: list[Process] = []
        self._etcd_port, self._etcd_peer_port, port, self._kwok_port = (free_port() for _ in range(4))
        self.server = f"https://127.0.0.1:{port}"
        self._port = port
        self._admin = self._authority.issue("admin", "admin", ["system:masters"])
        self.kubeconfig = self._kubeconfig("admin", self._admin)
        self._trust = ssl.create_default_context(cafile=str(self._authority.certificate_path))
        self._trust.load_cert_chain(*map(str, self._admin))
        self._client = httpx.Client(base_url=self.server, verify=self._trust, timeout=30.0)

    @property
    def certificate_authority(self) -> bytes:
        """The authority's certificate, PEM."""
        return self._authority.certificate_path.read_bytes()

    def start(self) -> None:
        """Start everything and wait until the API server is ready. Raises `ProcessFailedError`."""
        self._start("etcd", *self._etcd_arguments())
        server = self._start("kube-apiserver", *self._server_arguments())
        server.wait_until(self.ready, READY_SECONDS)
        for name in ("kube-controller-manager", "kube-scheduler"):
            config = self._kubeconfig(name, self._authority.issue(name, f"system:{name}"))
            extra = self._controller_arguments() if name == "kube-controller-manager" else []
            self._start(name, f"--kubeconfig={config}", "--leader-elect=false", "--secure-port=0", *extra)
        self._start(
            "kwok",
            f"--kubeconfig={self.kubeconfig}",
            "--manage-all-nodes=true",
            "--node-lease-duration-seconds=40",
            f"--server-address=127.0.0.1:{self._kwok_port}",
        )

    def apply_definition(self, definition: Mapping[str, Any]) -> None:
        """Apply a custom resource definition and wait until the API server serves it."""
        name = definition["metadata"]["name"]
        self.apply(f"{DEFINITIONS}/{name}", definition)
        group, version = definition["spec"]["group"], definition["spec"]["versions"][0]["name"]
        plural = definition["spec"]["names"]["plural"]
        self._processes[0].wait_until(
            lambda: self._client.get(f"/apis/{group}/{version}/{plural}").is_success, DEFINITION_SECONDS
        )

    def stop(self) -> None:
        """End everything; what was stored stays in the folder."""
        for process in reversed(self._processes):
            process.stop()
        self._processes.clear()

    def ready(self) -> bool:
        """Whether the API server answers that it is."""
        try:
            return self._client.get("/readyz").is_success
        except httpx.TransportError:
            return False

    def get(self, path: str) -> dict[str, Any] | None:
        """The object at an API path; None when there is none."""
        answer = self._client.get(path)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        answer.raise_for_status()
        return dict(answer.json())

    def items(self, path: str) -> list[dict[str, Any]]:
        """The objects of a list; empty when the API server does not know the kind."""
        found = self.get(path)
        return list(found["items"]) if found else []

    def apply(self, path: str, manifest: Mapping[str, Any], *, subresource: str = "") -> dict[str, Any]:
        """Server-side apply of one object as the admin. Raises `httpx.HTTPStatusError` when it is refused."""
        answer = self._client.patch(
            path + subresource,
            params={"fieldManager": FIELD_MANAGER, "force": "true"},
            headers={"Content-Type": APPLY},
            content=json.dumps(manifest),
        )
        answer.raise_for_status()
        return dict(answer.json())

    def delete(self, path: str, **parameters: int) -> None:
        """Delete the object, if it is there; `parameters` are the API's, such as `gracePeriodSeconds`."""
        answer = self._client.delete(path, params=parameters)
        if answer.status_code != httpx.codes.NOT_FOUND:
            answer.raise_for_status()

    def cordon(self, node: str, *, unschedulable: bool) -> None:
        """Let no new pod onto a node, or let them onto it again."""
        headers = {"Content-Type": "application/merge-patch+json"}
        patch = json.dumps({"spec": {"unschedulable": unschedulable}})
        self._client.patch(f"/api/v1/nodes/{node}", headers=headers, content=patch).raise_for_status()

    def _start(self, name: str, *arguments: str) -> Process:
        log = self._folder / f"{name}.log"
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._folder)}
        process = Process(name, [self._binaries[name], *arguments], log, environment)
        self._processes.append(process)
        return process

    def _etcd_arguments(self) -> list[str]:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self._etcd_port, self._etcd_peer_port))
        return [
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--force-new-cluster",  # after a restart the peer has another port
            "--unsafe-no-fsync",
        ]

    def _server_arguments(self) -> list[str]:
        certificate, key = self._authority.issue("apiserver", "kube-apiserver")
        accounts_certificate, accounts_key = self._authority.issue("accounts", "accounts")
        return [
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--client-ca-file={self._authority.certificate_path}",
            f"--service-account-key-file={accounts_certificate}",
            f"--service-account-signing-key-file={accounts_key}",
            f"--service-account-issuer={self.server}",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            "--endpoint-reconciler-type=none",  # a loopback address can't be an endpoint
            *self._access_arguments(),
        ]

    def _access_arguments(self) -> list[str]:
        authentication = self._webhook("authentication", self._webhooks.authentication)
        authorization = self._webhook("authorization", self._webhooks.authorization)
        return [
            "--authorization-mode=RBAC,Webhook",
            f"--authentication-token-webhook-config-file={authentication}",
            "--authentication-token-webhook-version=v1",
            "--authentication-token-webhook-cache-ttl=1s",
            f"--authorization-webhook-config-file={authorization}",
            "--authorization-webhook-version=v1",
            "--authorization-webhook-cache-authorized-ttl=1s",
            "--authorization-webhook-cache-unauthorized-ttl=1s",
        ]

    def _controller_arguments(self) -> list[str]:
        return [
            f"--service-account-private-key-file={self._folder / 'pki' / 'accounts.key'}",
            f"--root-ca-file={self._authority.certificate_path}",
            f"--cluster-cidr={POD_RANGE}",
            "--allocate-node-cidrs=true",
            "--use-service-account-credentials=true",
        ]

    def _kubeconfig(self, name: str, files: tuple[Path, Path]) -> Path:
        certificate, key = (base64.b64encode(path.read_bytes()).decode() for path in files)
        user = {"client-certificate-data": certificate, "client-key-data": key}
        authority = base64.b64encode(self.certificate_authority).decode()
        cluster = {"server": self.server, "certificate-authority-data": authority}
        return _write_kubeconfig(self._folder, name, cluster, user)

    def _webhook(self, name: str, address: str) -> Path:
        return _write_kubeconfig(self._folder, name, {"server": address}, {})


def _write_kubeconfig(folder: Path, name: str, cluster: Mapping[str, str], user: Mapping[str, str]) -> Path:
    """Write `NAME.kubeconfig`, readable by its owner alone."""
    path = folder / f"{name}.kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "simulated",
        "clusters": [{"name": "simulated", "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": "simulated", "context": {"cluster": "simulated", "user": name}}],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config), encoding="utf-8")
    return path
