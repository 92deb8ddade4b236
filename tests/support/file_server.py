"""A local web server that serves one file, with ranges, and can be told to fail."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(kw_only=True)
class Served:
    """What is served and how. Each entry of `cut_after` ends one connection after so many bytes; the next requests get
    the status codes in `failures` instead."""

    content: bytes
    ranges: bool = True
    cut_after: list[int] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    requests: list[str | None] = field(default_factory=list)
    url: str = ""

    def answer(self, wanted: str | None) -> tuple[int, bytes]:
        """Status and body of the response to a request for these bytes."""
        if not wanted or not self.ranges:
            return 200, self.content
        return 206, self.content[int(wanted.removeprefix("bytes=").removesuffix("-")) :]


@contextmanager
def serving(served: Served) -> Iterator[Served]:
    """Serve until the block ends; `served.url` is the file's address, `served.requests` the ranges asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            served.requests.append(wanted)
            if served.failures:
                self.send_error(served.failures.pop(0))
                return
            status, body = served.answer(wanted)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if served.cut_after and len(body) > 1:
                body = body[: served.cut_after.pop(0)]
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}/rows.tsv"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
