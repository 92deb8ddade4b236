"""The whole simulated Azure: the record, its fakes, the plugins' environment, and the control plane behind AKS.

Clients find the fakes through `HTTPS_PROXY` and trust their certificates through `REQUESTS_CA_BUNDLE`, so the product
uses Azure's own endpoints.
"""

import base64
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import build_opener, install_opener

import trustme
from starlette.applications import Starlette

from azure_clients import credentials
from tests.simulation.fakes.blob import Azurite, azurite_command, blob
from tests.simulation.fakes.databricks import databricks_api
from tests.simulation.fakes.entra import entra, kubernetes_access
from tests.simulation.fakes.management import management
from tests.simulation.fakes.proxy import Proxy
from tests.simulation.fakes.registry import registry
from tests.simulation.fakes.runs import Runs
from tests.simulation.fakes.service import Listener
from tests.simulation.fakes.vault_keys import vault_keys
from tests.simulation.kubernetes.aks import SYSTEM_NAMESPACES, Aks
from tests.simulation.kubernetes.control_plane import ControlPlane
from tests.simulation.services.kubernetes import CLUSTER
from tests.simulation.world import WORLD_VARIABLE, World
from tools.paths import ROOT

PLUGINS = ROOT / "tests" / "simulation" / "plugins" / "path"
PROVIDER = "pulumi-resource-kubernetes"
GONE_SECONDS = 120
"""The longest that a deleted cluster's namespaces may need to go: twice half of a pod's grace period, and more."""
SERVICES: Mapping[str, Callable[[World], Starlette]] = {
    "login.microsoftonline.com": entra,
    "management.azure.com": management,
    ".azurecr.io": registry,
    ".vault.azure.net": vault_keys,
}


class Simulation:
    """Run the product with `environment()` or in this process while it is `entered()`; then inspect `world`."""

    plane: ControlPlane
    """If it was started with the binaries of one."""
    aks: Aks
    """What keeps the control plane like the record."""
    proxy: Proxy

    def __init__(self, world: World, runs: Runs) -> None:
        """`runs` is what the Databricks jobs do. Everything is kept in the record's folder."""
        self.world = world
        self.prepared: frozenset[str] = frozenset()
        """The IDs of what `personalize bootstrap` created, and no `destroy` deletes."""
        self._runs = runs
        self._path = str(PLUGINS)

    @contextmanager
    def running(self, binaries: Mapping[str, Path] | None = None) -> Iterator["Simulation"]:
        """Start it all, which takes some seconds; at the end the record and the data remain.

        `binaries`: of a control plane, from `tools.control_plane`. Without Azurite there is no Blob endpoint, and its
        clients are refused.
        """
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.world.folder / "ca.crt")
        with ExitStack() as ends:

            def listen(make: Callable[[World], Starlette]) -> int:
                listener = Listener(make(World(self.world.folder)))  # a connection for each thread
                ends.callback(listener.stop)
                return listener.start()

            ends.callback(self._runs.stop)
            backends = {host: listen(make) for host, make in SERVICES.items()}
            backends[".azuredatabricks.net"] = listen(lambda world: databricks_api(world, self._runs))
            command = azurite_command()
            if command is not None:
                azurite = Azurite(self.world.folder / "azurite", command, authority)
                ends.callback(azurite.stop)
                backends[".blob.core.windows.net"] = listen(lambda world: blob(world, azurite))
            self.proxy = Proxy(authority, backends)
            self._address = self.proxy.open()
            ends.callback(self.proxy.close)
            if binaries is not None:
                self._start_plane(binaries, f"http://127.0.0.1:{listen(kubernetes_access)}", ends)
            yield self

    def _start_plane(self, binaries: Mapping[str, Path], webhooks: str, ends: ExitStack) -> None:
        self.plane = ControlPlane(self.world.folder.with_name("plane"), binaries, webhooks)
        self.plane.start()
        ends.callback(self.plane.stop)
        authority = base64.b64encode(self.plane.certificate_authority).decode()
        self.world.set("kubernetes", {"server": self.plane.server, "certificate_authority_data": authority})
        self.aks = Aks(self.world, self.plane)
        self.aks.start()
        ends.callback(self.aks.stop)
        self._path = f"{binaries[PROVIDER].parent}{os.pathsep}{self._path}"

    def environment(self) -> dict[str, str]:
        """Variables that lead a process to the fakes, to the plugins and to the record."""
        bundle = str(self.world.folder / "ca.crt")
        return {
            "HTTPS_PROXY": self._address,
            "https_proxy": self._address,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "REQUESTS_CA_BUNDLE": bundle,
            "SSL_CERT_FILE": bundle,
            "PATH": f"{self._path}{os.pathsep}{os.environ['PATH']}",
            "SIMULATED_PYTHON": sys.executable,
            WORLD_VARIABLE: str(self.world.folder),
        }

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Lead this process to the fakes, and forget what it holds of other worlds."""
        before = dict(os.environ)
        os.environ.update(self.environment())
        _forget()
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
            _forget()

    def leftovers(self) -> list[str]:
        """What still exists after everything was destroyed, or was deleted only with something around it."""
        left = [record.id for record in self.world.all() if record.id not in self.prepared]
        left += self.world.setting("swept")
        left += [f"namespace {name}" for name in self._namespaces()]
        return left

    def _namespaces(self) -> list[str]:
        """Namespaces of stacks in the cluster. A deleted cluster takes its own along, here some moments later."""
        for _ in range(GONE_SECONDS):
            names = {item["metadata"]["name"] for item in self.plane.items("/api/v1/namespaces")} - SYSTEM_NAMESPACES
            if not names or list(self.world.all(CLUSTER)):
                break
            time.sleep(1)
        return sorted(names)


def _forget() -> None:
    """Tokens, and the proxies that `urlopen` took from the environment at its first call."""
    credentials._credentials.clear()  # noqa: SLF001 - a process of the product never changes its directory
    install_opener(build_opener())
