"""A proxy in place of the internet, which leads every Azure host name to a fake.

A host without a fake is refused and noted: nothing leaves the machine.
"""

import asyncio
import ssl
import threading
from collections.abc import Coroutine, Mapping

import trustme

CHUNK_BYTES = 65_536
START_SECONDS = 15.0
LONGEST_REQUEST_BYTES = 65_536


class Proxy(threading.Thread):
    """Answers CONNECT, terminates TLS for the requested host, and forwards the rest to its fake."""

    def __init__(self, authority: trustme.CA, backends: Mapping[str, int]) -> None:
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
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._authority.issue_cert(host).configure_cert(context)
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
