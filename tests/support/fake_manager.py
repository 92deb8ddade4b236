"""Resource Manager and Entra ID in memory, behind the product's own client.

The answers are written by hand from Microsoft's REST documentation. They show what the product sends and how it handles
such answers, not what Azure answers.
"""

import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import requests
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import BaseAdapter

from azure_clients.resource_manager import ResourceManager

MANAGER = "https://management.azure.com"
GRAPH = "https://graph.microsoft.com"
Answer = dict[str, Any] | tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class Call:
    """A request."""

    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any] | None
    authorization: str


class AnyToken:
    """A credential without expiry, whose token changes when it is forgotten."""

    forgotten = 0

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """`token` at first."""
        del scopes, options
        return AccessToken("token" + " again" * self.forgotten, 9_999_999_999)

    def forget(self) -> None:
        """The next token is another one."""
        self.forgotten += 1


@dataclass
class FakeManager(BaseAdapter):
    """Stores what is PUT, deletes what is DELETEd, and answers the rest by `answer`; anything unknown is 404."""

    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Status and code for calls by a pattern of `METHOD path`."""
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    """Additional response headers, by the request's method."""
    _answers: list[tuple[str, Callable[[Call], Answer]]] = field(default_factory=list)

    def answer(self, pattern: str, answer: Answer | Callable[[Call], Answer]) -> None:
        """Answer calls whose `METHOD path` matches; the newest match counts."""
        self._answers.insert(0, (pattern, answer if callable(answer) else lambda _: answer))

    def manager(self, address: str = MANAGER) -> ResourceManager:
        """The product's client, connected to this."""
        session = requests.Session()
        session.mount("https://", self)
        transport = RequestsTransport(session=session, session_owner=False)
        return ResourceManager(AnyToken(), address, f"{address}/.default", transport=transport, poll_seconds=0)

    def changes(self) -> list[str]:
        """`METHOD path` of every call that may change something."""
        return [f"{call.method} {call.path}" for call in self.calls if call.method != "GET"]

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        """Called by `requests`."""
        del options
        address = urlsplit(str(request.url))
        body = json.loads(request.body) if isinstance(request.body, str | bytes) and request.body else None
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        call = Call(str(request.method), unquote(address.path), query, body, str(request.headers["Authorization"]))
        self.calls.append(call)
        status, content = self._answered(call)
        response = requests.Response()
        response.request, response.url, response.status_code = request, str(request.url), status
        response.headers.update({"Content-Type": "application/json", **self.headers.get(call.method, {})})
        response.raw = io.BytesIO(json.dumps(content).encode())
        return response

    def close(self) -> None:
        """Nothing is open."""

    def _answered(self, call: Call) -> tuple[int, dict[str, Any]]:
        line = f"{call.method} {call.path}"
        for pattern, (status, code) in self.refused.items():
            if re.search(pattern, line):
                return status, {"error": {"code": code, "message": f"{code} (the test ordered it)"}}
        for pattern, answer in self._answers:
            if re.search(pattern, line):
                found = answer(call)
                return found if isinstance(found, tuple) else (200, found)
        return self._stored(call)

    def _stored(self, call: Call) -> tuple[int, dict[str, Any]]:
        key = call.path.lower()
        missing = (404, {"error": {"code": "ResourceNotFound", "message": f"{call.path} was not found"}})
        match call.method:
            case "PUT":
                kept = {"id": call.path, "name": call.path.rpartition("/")[2], **(call.body or {})}
                kept["properties"] = {"provisioningState": "Succeeded", **kept.get("properties", {})}
                self.resources[key] = kept
                return 200, kept
            case "DELETE" if key in self.resources:
                for name in [name for name in self.resources if name == key or name.startswith(f"{key}/")]:
                    del self.resources[name]
                return 200, {}
            case "GET" if key in self.resources:
                return 200, self.resources[key]
            case _:
                return missing
