"""All fakes together, and the environment that leads clients to them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import build_opener, install_opener

from azure_clients import credentials
from tests.simulation.certificates import Authority
from tests.simulation.fakes.blob import Azurite, blob
from tests.simulation.fakes.databricks_api import databricks_api
from tests.simulation.fakes.entra import entra
from tests.simulation.fakes.kubernetes_access import kubernetes_access
from tests.simulation.fakes.management import management
from tests.simulation.fakes.proxy import Proxy
from tests.simulation.fakes.registry_login import registry_login
from tests.simulation.fakes.runs import Runs
from tests.simulation.fakes.service import Listener
from tests.simulation.fakes.vault_keys import vault_keys
from tests.simulation.plugins.environment import WORLD_VARIABLE
from tests.simulation.world import World
from tools import azurite as azurite_tool
from tools.paths import ROOT

PLUGINS = ROOT / "tests" / "simulation" / "plugins" / "path"


class Internet:
    """Starts the fakes of one world; `environment` is for the product's processes."""

    def __init__(self, world: World, runs: Runs) -> None:
        """`runs` is what the Databricks jobs do."""
        self._folder = world.folder
        self.authority = Authority(self._folder / "pki")
        self._azurite: Azurite | None = None
        self._listeners: list[Listener] = []
        self._runs = runs
        self.proxy: Proxy | None = None
        self.webhooks = ""
        """Address of the API server's webhooks: add `/authenticate` and `/authorize`."""

    def start(self) -> None:
        """Start everything. Without Azurite there is no Blob endpoint, and its clients are refused."""
        backends = {
            "login.microsoftonline.com": self._listen(Listener(entra(self._world()))),
            "management.azure.com": self._listen(Listener(management(self._world()))),
            ".azurecr.io": self._listen(Listener(registry_login(self._world()))),
            ".vault.azure.net": self._listen(Listener(vault_keys(self._world()))),
            ".azuredatabricks.net": self._listen(Listener(databricks_api(self._world(), self._runs))),
        }
        command = azurite_tool.command()
        if command is not None:
            self._azurite = Azurite(self._folder / "azurite", command, self.authority)
            backends[".blob.core.windows.net"] = self._listen(Listener(blob(self._world(), self._azurite)))
        self.webhooks = f"http://127.0.0.1:{self._listen(Listener(kubernetes_access(self._world())))}"
        self.proxy = Proxy(self.authority, backends)
        self._address = self.proxy.open()

    def stop(self) -> None:
        """Stop everything."""
        if self.proxy is not None:
            self.proxy.close()
        for listener in self._listeners:
            listener.stop()
        if self._azurite is not None:
            self._azurite.stop()
        self._runs.stop()

    def environment(self) -> dict[str, str]:
        """Variables that lead a process to the fakes, to the plugins and to the record."""
        bundle = str(self.authority.certificate_path)
        return {
            "HTTPS_PROXY": self._address,
            "https_proxy": self._address,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "REQUESTS_CA_BUNDLE": bundle,
            "SSL_CERT_FILE": bundle,
            "PATH": f"{PLUGINS}{os.pathsep}{os.environ['PATH']}",
            "SIMULATED_PYTHON": sys.executable,
            WORLD_VARIABLE: str(self._folder),
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

    def _world(self) -> World:
        """Opens a connection for each thread."""
        return World(self._folder)

    def _listen(self, listener: Listener) -> int:
        self._listeners.append(listener)
        return listener.start()


def _forget() -> None:
    """Tokens, and the proxies that `urlopen` took from the environment at its first call."""
    credentials._credentials.clear()  # noqa: SLF001 - a process of the product never changes its directory
    install_opener(build_opener())
