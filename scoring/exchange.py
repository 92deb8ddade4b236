"""One HTTP exchange: its headers, its body within limits, and its answer in the ASGI protocol."""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from itertools import count
from secrets import token_hex
from typing import Any

from scoring.rejections import InvalidJson, Rejection, TooLarge, UnsupportedMediaType

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


class Exchange:
    """What the front knows of one request."""

    __slots__ = ("authorization", "content_length", "content_type", "receive", "request_id", "send", "status")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.receive = receive
        self.send = send
        self.status = 0
        self.authorization = self.content_type = self.content_length = b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                self.authorization = value
            elif name == b"content-type":
                self.content_type = value
            elif name == b"content-length":
                self.content_length = value
        self.request_id = identify(scope["headers"])

    async def read_json(self, *, limit: int) -> bytes:
        """The body, which says that it is JSON and has at most `limit` bytes; the connection sees to it that it comes.

        Raises a `Rejection` when it does not, or `DisconnectedError`.
        """
        if self.content_type != JSON:
            self._check_content_type()
        if self.content_length and int(self.content_length) > limit:
            raise _too_large(limit)
        message = await self.receive_or_leave()
        body: bytes = message.get("body", b"")
        if message.get("more_body", False):
            body = await self._read_rest(body, limit)
        if len(body) > limit:
            raise _too_large(limit)
        if not body:
            raise InvalidJson("The body is empty; send a JSON object.")
        return body

    async def answer(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        """Send a whole JSON answer."""
        self.status = status
        sent = [
            (b"content-type", JSON),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", self.request_id),
        ]
        if headers:
            sent += headers
        await self.send({"type": "http.response.start", "status": status, "headers": sent})
        await self.send({"type": "http.response.body", "body": body})

    async def reject(self, rejection: Rejection) -> None:
        """Send the answer of a rejection."""
        await self.answer(rejection.status, rejection.body(), rejection.headers())

    async def receive_or_leave(self) -> Message:
        """The next message of the body; raises `DisconnectedError`."""
        message = await self.receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        return message

    async def _read_rest(self, start: bytes, limit: int) -> bytes:
        parts, size = [start], len(start)
        while True:
            message = await self.receive_or_leave()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise _too_large(limit)
            if not message.get("more_body", False):
                return b"".join(parts)

    def _check_content_type(self) -> None:
        media_type, _, parameters = self.content_type.partition(b";")
        charset = parameters.strip().lower().replace(b'"', b"")
        if media_type.strip().lower() != JSON or charset not in (b"", b"charset=utf-8"):
            raise UnsupportedMediaType("Send the body as `content-type: application/json`, in UTF-8.")


def identify(headers: list[tuple[bytes, bytes]]) -> bytes:
    """The id of a request with these headers: the client's own when it can stand in a log, else a new one."""
    for name, value in headers:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(value):
            return value
    return b"%s-%x" % (_process, next(_serial))


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes; send fewer records at once.")
