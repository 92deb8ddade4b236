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
    etag: str | None = '"first"'
    ranges: bool = True
    cut_after: list[int] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    requests: list[str | None] = field(default_factory=list)
    url: str = ""

    def answer(self, wanted: str | None, if_range: str | None) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers of the response to a request with these headers."""
        headers = {"ETag": self.etag} if self.etag else {}
        if not wanted or not self.ranges or if_range not in {None, self.etag}:
            return 200, self.content, headers
        end = len(self.content)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, end = int(first), min(end, int(last) + 1) if last else end
        if start >= len(self.content):
            return 416, b"", {"Content-Range": f"bytes */{len(self.content)}"}
        return 206, self.content[start:end], headers | {"Content-Range": f"bytes {start}-{end - 1}/{len(self.content)}"}


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
            status, body, headers = served.answer(wanted, self.headers.get("If-Range"))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
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
