"""All fakes together, behind a proxy in place of the internet that leads every Azure host name to a fake.

Clients find it through `HTTPS_PROXY` and trust its certificates through `REQUESTS_CA_BUNDLE`, so the product uses
Azure's own endpoints. A host without a fake is refused and noted: nothing leaves the machine.
"""

import asyncio
import os
import ssl
import sys
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from urllib.request import build_opener, install_opener

from azure_clients import credentials
from tests.simulation.certificates import Authority
from tests.simulation.fakes.blob import Azurite, blob
from tests.simulation.fakes.databricks import databricks_api
from tests.simulation.fakes.entra import entra, kubernetes_access
from tests.simulation.fakes.management import management
from tests.simulation.fakes.registry import registry
from tests.simulation.fakes.runs import Runs
from tests.simulation.fakes.service import Listener
from tests.simulation.fakes.vault_keys import vault_keys
from tests.simulation.world import WORLD_VARIABLE, World
from tools import azurite as azurite_tool
from tools.paths import ROOT

PLUGINS = ROOT / "tests" / "simulation" / "plugins" / "path"
CHUNK_BYTES = 65_536
START_SECONDS = 15.0
LONGEST_REQUEST_BYTES = 65_536


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
            ".azurecr.io": self._listen(Listener(registry(self._world()))),
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


class Proxy(threading.Thread):
    """Answers CONNECT, terminates TLS for the requested host, and forwards the rest to its fake."""

    def __init__(self, authority: Authority, backends: Mapping[str, int]) -> None:
        """`backends` maps a host, or a ".suffix" of hosts, to the port of its fake on loopback."""
        super().__init__(name="proxy", daemon=True)
        self._authority = authority
        self._backends = dict(backends)
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._over = asyncio.Event()
        self.port = 0
        self.refused: list[str] = []
        """Requested hosts that have no fake."""

    def open(self) -> str:
        """Start it and return the address for `HTTPS_PROXY`."""
        self.start()
        if not self._listening.wait(START_SECONDS):
            raise RuntimeError("the proxy did not start")
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop it and wait for the thread."""
        self._loop.call_soon_threadsafe(self._over.set)
        self.join()

    def run(self) -> None:
        """Serve until `close`."""
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=LONGEST_REQUEST_BYTES)
        self.port = int(server.sockets[0].getsockname()[1])
        self._listening.set()
        await self._over.wait()
        server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target, *_ = request.split(" ")
            host = target.rpartition(":")[0]
            port = self._backend(host)
            if method != "CONNECT" or port is None:
                self.refused.append(target)
                writer.write(b"HTTP/1.1 502 No Such Host\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
                return
            writer.write(b"HTTP/1.1 200 Connection Established\r\n\r\n")
            await writer.drain()
            await writer.start_tls(self._context(host))
            backend_reader, backend_writer = await asyncio.open_connection("127.0.0.1", port)
            await _both(_pipe(reader, backend_writer), _pipe(backend_reader, writer))
            backend_writer.close()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return  # one side or the proxy has closed: nothing to answer
        finally:
            writer.close()

    def _backend(self, host: str) -> int | None:
        suffixes = (port for name, port in self._backends.items() if name.startswith(".") and host.endswith(name))
        return self._backends.get(host) or next(suffixes, None)

    def _context(self, host: str) -> ssl.SSLContext:
        if host not in self._contexts:
            certificate, key = self._authority.issue(f"host-{host}", "fake", host=host)
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate, key)
            self._contexts[host] = context
        return self._contexts[host]


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK_BYTES):
        writer.write(data)
        await writer.drain()


async def _both(*directions: Coroutine[None, None, None]) -> None:
    """Forward in both directions until one side closes."""
    tasks = [asyncio.ensure_future(direction) for direction in directions]
    _, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
