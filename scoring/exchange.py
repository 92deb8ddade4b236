"""What the service needs of a request's head, its body within limits, and the bytes of its answer."""

import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from itertools import count
from secrets import token_hex
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from scoring.request_errors import InvalidJson, Rejection, TooLarge, UnsupportedMediaType

Headers = list[tuple[bytes, bytes]]
Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON = b"application/json"
REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")

_process = token_hex(4).encode()
_serial = count(1)


class DisconnectedError(Exception):
    """The client went away before its request was whole."""


class Head:
    """What the service needs of a request's headers."""

    __slots__ = ("authorization", "content_length", "content_type", "request_id")

    def __init__(self, headers: Headers) -> None:
        """A request's id is the client's own when it can stand in a log, else a new one."""
        self.authorization = self.content_type = self.content_length = self.request_id = b""
        for name, value in headers:
            if name == b"authorization":
                self.authorization = value
            elif name == b"content-type":
                self.content_type = value
            elif name == b"content-length":
                self.content_length = value
            elif name == b"x-request-id" and REQUEST_ID.fullmatch(value):
                self.request_id = value
        if not self.request_id:
            self.request_id = b"%b-%x" % (_process, next(_serial))

    def announce_json(self, limit: int) -> None:
        """Raise a `Rejection` unless the head announces JSON of at most `limit` bytes."""
        if self.content_type != JSON:
            self._check_content_type()
        if self.content_length and int(self.content_length) > limit:
            raise too_large(limit)

    def _check_content_type(self) -> None:
        media_type, _, parameters = self.content_type.partition(b";")
        charset = parameters.strip().lower().replace(b'"', b"")
        if media_type.strip().lower() != JSON or charset not in (b"", b"charset=utf-8"):
            raise UnsupportedMediaType("Send the body as `content-type: application/json`, in UTF-8.")


class Exchange(Head):
    """A request and its answer in the ASGI protocol."""

    __slots__ = ("receive", "send", "status")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope["headers"])
        self.receive = receive
        self.send = send
        self.status = 0

    async def read(self, *, limit: int) -> bytes:
        """The body of at most `limit` bytes; the connection sees to it that it comes.

        Raises a `Rejection`, or `DisconnectedError`.
        """
        parts, size, more = [], 0, True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise DisconnectedError
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise too_large(limit)
            more = message.get("more_body", False)
        if not size:
            raise empty_body()
        return b"".join(parts)

    async def answer(self, status: int, body: bytes, headers: Headers) -> None:
        """Send a whole JSON answer."""
        self.status = status
        sent = [(b"content-type", JSON), (b"content-length", b"%d" % len(body)), (b"x-request-id", self.request_id)]
        await self.send({"type": "http.response.start", "status": status, "headers": sent + headers})
        await self.send({"type": "http.response.body", "body": body})


class Writer:
    """Whole answers as bytes. What they share is put together once a second, as often as the date in it changes."""

    def __init__(self) -> None:
        self._defaults: Headers | None = None
        self._heads: dict[int, bytes] = {}

    def answer(
        self,
        defaults: Headers,
        status: int,
        body: bytes,
        headers: Headers,
        *,
        request_id: bytes,
        close: bool,
    ) -> bytes:
        """The answer with the headers that uvicorn keeps as `defaults`, a new list when one of them changes."""
        if defaults is not self._defaults:
            self._defaults = defaults
            self._heads.clear()
        head = self._heads.get(status)
        if head is None:
            shared = [*defaults, (b"content-type", JSON)]
            head = self._heads[status] = STATUS_LINE[status] + _lines(shared) + b"x-request-id: "
        more = _lines(headers) if headers else b""
        if close:
            more += b"connection: close\r\n"
        return b"%b%b\r\ncontent-length: %d\r\n%b\r\n%b" % (head, request_id, len(body), more, body)


def too_large(limit: int) -> Rejection:
    """The rejection of a body above the limit."""
    return TooLarge(f"The body is larger than {limit} bytes; send fewer records at once.")


def empty_body() -> Rejection:
    """The rejection of a request without a body."""
    return InvalidJson("The body is empty; send a JSON object.")


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)
