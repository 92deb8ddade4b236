"""One HTTP exchange: its headers, its body within limits, and its answer in the ASGI protocol."""

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from itertools import count
from secrets import token_hex
from typing import Any

from scoring.rejections import InvalidJson, Rejection, SlowBody, TooLarge, UnsupportedMediaType

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON = b"application/json"
REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")

_process = token_hex(4)
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
        given = b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                self.authorization = value
            elif name == b"content-type":
                self.content_type = value
            elif name == b"content-length":
                self.content_length = value
            elif name == b"x-request-id":
                given = value
        self.request_id = given if REQUEST_ID.fullmatch(given) else b"%s-%x" % (_process.encode(), next(_serial))

    async def read_json(self, *, limit: int, seconds: float) -> bytes:
        """The body, which says that it is JSON, has at most `limit` bytes and arrives within `seconds`.

        Raises a `Rejection` when it does not, or `DisconnectedError`.
        """
        if self.content_type != JSON:
            self._check_content_type()
        if self.content_length and int(self.content_length) > limit:
            raise _too_large(limit)
        message = await self.receive_or_leave()
        body: bytes = message.get("body", b"")
        if message.get("more_body", False):
            try:
                async with asyncio.timeout(seconds):
                    body = await self._read_rest(body, limit)
            except TimeoutError as error:
                raise SlowBody(f"The body did not arrive within {seconds:g} seconds.") from error
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


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes; send fewer records at once.")
