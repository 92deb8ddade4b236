"""A real Kubernetes control plane on loopback: etcd, API server, controllers, scheduler, and simulated nodes.

Pods are admitted, scheduled and reported as running, but no container starts: kwok stands in for the kubelets.
"""

import json
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import trustme

from tests.simulation.processes import Process
from tests.support.ports import free_port

READY_SECONDS = 120.0
SERVER_NAMES = ("127.0.0.1", "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DEFINITION_SECONDS = 30.0


class ControlPlane:
    """Starts and stops the processes; files and the database are kept in `folder`, so that it can be started again."""

    def __init__(self, folder: Path, binaries: Mapping[str, Path], webhooks: str) -> None:
        """`binaries` are those of `tools.control_plane`; `/authenticate` and `/authorize` at `webhooks` decide about
        everybody but the admin."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._binaries = binaries
        self._processes: list[Process] = []
        self._authority = trustme.CA()
        self.certificate_authority = self._authority.cert_pem.bytes()
        self._ca = self._folder / "ca.crt"
        self._authority.cert_pem.write_to_path(self._ca)
        self._ports = {name: free_port() for name in ("server", "etcd", "peer", "kwok")}
        self.server = f"https://127.0.0.1:{self._ports['server']}"
        self._server_files = self._files("apiserver", self._authority.issue_cert(*SERVER_NAMES))
        self._account_files = self._files("accounts", self._authority.issue_cert("localhost", common_name="accounts"))
        self._hooks = [
            self._kubeconfig(name, {"server": f"{webhooks}/{name}"}, {}) for name in ("authenticate", "authorize")
        ]
        # Go refuses a certificate without a name of a host.
        admin = self._authority.issue_cert("localhost", common_name="admin", organization_name="system:masters")
        self._configs = {"kwok": self._client_config("kwok", admin)}
        for name in ("kube-controller-manager", "kube-scheduler"):
            issued = self._authority.issue_cert("localhost", common_name=f"system:{name}")
            self._configs[name] = self._client_config(name, issued)
        trust = ssl.create_default_context(cafile=str(self._ca))
        admin.configure_cert(trust)
        self._client = httpx.Client(base_url=self.server, verify=trust, timeout=30.0)

    def start(self) -> None:
        """Start everything and wait until the API server is ready. Raises `ProcessFailedError`."""
        self._start_etcd()
        self._start_server()
        _, accounts_key = self._account_files
        self._start(
            "kube-controller-manager",
            "--leader-elect=false",
            "--secure-port=0",
            f"--service-account-private-key-file={accounts_key}",
            f"--root-ca-file={self._ca}",
            "--cluster-cidr=10.244.0.0/16",
            "--allocate-node-cidrs=true",
            "--use-service-account-credentials=true",
        )
        self._start("kube-scheduler", "--leader-elect=false", "--secure-port=0")
        self._start(
            "kwok",
            "--manage-all-nodes=true",
            "--node-lease-duration-seconds=40",
            f"--server-address=127.0.0.1:{self._ports['kwok']}",
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

    def apply(self, path: str, manifest: Mapping[str, Any]) -> None:
        """Server-side apply of one object as the admin. Raises `httpx.HTTPStatusError` when it is refused."""
        how = {"fieldManager": "simulation", "force": "true"}
        answer = self._client.patch(path, params=how, headers={"Content-Type": APPLY}, content=json.dumps(manifest))
        answer.raise_for_status()

    def apply_definition(self, definition: Mapping[str, Any]) -> None:
        """Apply a custom resource definition and wait until the API server serves it."""
        self.apply(f"{DEFINITIONS}/{definition['metadata']['name']}", definition)
        group, version = definition["spec"]["group"], definition["spec"]["versions"][0]["name"]
        served = f"/apis/{group}/{version}/{definition['spec']['names']['plural']}"
        self._processes[0].wait_until(lambda: self._client.get(served).is_success, DEFINITION_SECONDS)

    def delete(self, path: str, **parameters: int) -> None:
        """Delete the object, if it is there; `parameters` are the API's, such as `gracePeriodSeconds`."""
        answer = self._client.delete(path, params=parameters)
        if answer.status_code != httpx.codes.NOT_FOUND:
            answer.raise_for_status()

    def cordon(self, node: str, *, unschedulable: bool) -> None:
        """Let no new pod onto a node, or let them onto it again."""
        patch = json.dumps({"spec": {"unschedulable": unschedulable}})
        answer = self._client.patch(f"/api/v1/nodes/{node}", headers={"Content-Type": MERGE}, content=patch)
        answer.raise_for_status()

    def _start(self, name: str, *arguments: str) -> Process:
        """Start a program, with the kubeconfig that it has."""
        configured = [f"--kubeconfig={self._configs[name]}"] if name in self._configs else []
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._folder)}
        command = [str(self._binaries[name]), *configured, *arguments]
        process = Process(name, command, self._folder / f"{name}.log", environment)
        self._processes.append(process)
        return process

    def _start_etcd(self) -> None:
        client, peer = (f"http://127.0.0.1:{self._ports[name]}" for name in ("etcd", "peer"))
        self._start(
            "etcd",
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--force-new-cluster",  # another process on the same folder has other ports
            "--unsafe-no-fsync",
        )

    def _start_server(self) -> None:
        (certificate, key), (accounts, accounts_key) = self._server_files, self._account_files
        authentication, authorization = self._hooks
        server = self._start(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self._ports['etcd']}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._ports['server']}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--client-ca-file={self._ca}",
            f"--service-account-key-file={accounts}",
            f"--service-account-signing-key-file={accounts_key}",
            f"--service-account-issuer={self.server}",
            "--service-cluster-ip-range=10.0.0.0/16",
            "--endpoint-reconciler-type=none",  # a loopback address can't be an endpoint
            "--authorization-mode=RBAC,Webhook",
            f"--authentication-token-webhook-config-file={authentication}",
            "--authentication-token-webhook-version=v1",
            "--authentication-token-webhook-cache-ttl=1s",
            f"--authorization-webhook-config-file={authorization}",
            "--authorization-webhook-version=v1",
            "--authorization-webhook-cache-authorized-ttl=1s",
            "--authorization-webhook-cache-unauthorized-ttl=1s",
        )
        server.wait_until(self.ready, READY_SECONDS)

    def _files(self, name: str, issued: trustme.LeafCert) -> tuple[Path, Path]:
        """The files of a certificate and its key."""
        certificate, key = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        issued.cert_chain_pems[0].write_to_path(certificate)
        issued.private_key_pem.write_to_path(key)
        return certificate, key

    def _client_config(self, name: str, issued: trustme.LeafCert) -> Path:
        """The kubeconfig of a client of the API server."""
        certificate, key = map(str, self._files(name, issued))
        server = {"server": self.server, "certificate-authority": str(self._ca)}
        return self._kubeconfig(name, server, {"client-certificate": certificate, "client-key": key})

    def _kubeconfig(self, name: str, cluster: Mapping[str, str], user: Mapping[str, str]) -> Path:
        path = self._folder / f"{name}.kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "simulated",
            "clusters": [{"name": "simulated", "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": "simulated", "context": {"cluster": "simulated", "user": name}}],
        }
        path.write_text(json.dumps(config), encoding="utf-8")
        return path
