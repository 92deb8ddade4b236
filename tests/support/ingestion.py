"""Stands in for Application Insights' ingestion: receives and keeps what the real exporter sends."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

KEY = "00000000-0000-4000-8000-000000000007"
PATH = "/v2.1/track"


@dataclass
class Ingestion:
    """Received telemetry, in Azure's documented envelopes; with a `status` other than 200 it's refused."""

    url: str
    items: list[dict[str, Any]] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    tokens: list[str | None] = field(default_factory=list)
    """The `Authorization` header of each call."""
    status: int = 200

    @property
    def connection(self) -> str:
        """The connection string that leads here."""
        return connection_to(self.url)

    def requests(self) -> list[dict[str, Any]]:
        """The request items: their data with the trace's id, the parent span's id, and the share in percent."""
        return [
            item["data"]["baseData"]
            | {"trace": item["tags"]["ai.operation.id"], "parent": item["tags"].get("ai.operation.parentId")}
            | {"share": item.get("sampleRate"), "role": item["tags"]["ai.cloud.role"]}
            | {"version": item["tags"]["ai.application.ver"]}
            for item in self.items
            if item["data"]["baseType"] == "RequestData"
        ]


def connection_to(url: str) -> str:
    """A connection string that leads to `url`."""
    return f"InstrumentationKey={KEY};IngestionEndpoint={url}/"


@contextmanager
def running_ingestion() -> Iterator[Ingestion]:
    """Receive telemetry on a local port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            sent = json.loads(body)
            found.paths.add(self.path)
            found.tokens.append(self.headers.get("authorization"))
            if found.status == 200:
                found.items += sent
            answer = {"itemsReceived": len(sent), "itemsAccepted": len(sent), "errors": []}
            content = json.dumps(answer).encode()
            self.send_response(found.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Ingestion(f"http://127.0.0.1:{server.server_address[1]}")
        Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()
