"""A request: the parts of its head that the service needs, its body, and its response until that can be sent.

A connection's requests wait in order of arrival, and their responses leave in that order.
"""

import re
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from scoring.http.admission import Room
from scoring.model.operations import Operation
from scoring.request_errors import Headers, Refusal, Rejection

if TYPE_CHECKING:
    from scoring.http.connection import Connection
    from scoring.worker.keys import Key

JSON = b"application/json"
UNREAD_BYTES = 65_536
"""Bodies that no response needs are read and discarded up to this size; with a larger one the connection closes."""

FREE_PARTS = 1024
"""A body of at most so many chunks may have chunks of any size."""

SMALLEST_PART = 64
"""The least average size of the chunks of a body that has more: handling a chunk costs as much as 100 bytes."""

REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Answer(NamedTuple):
    """A response: status, body, and headers in addition to those of every response."""

    status: int
    body: bytes
    headers: Headers


@dataclass(slots=True, eq=False)
class Request:
    """A request whose head has arrived. The names in `headers` are in lower case; `where` sends the response."""

    where: "Connection"
    method: bytes
    path: bytes
    headers: Mapping[bytes, bytes]
    request_id: bytes
    operation: Operation | None = None
    key: "Key | None" = None
    body: bytes | bytearray = b""
    size: int = 0
    parts: int = 0
    arrived: float = 0.0
    """When its last byte arrived, by `time.perf_counter`; 0 before that."""
    keep_alive: bool = True
    disconnected: bool = False
    """Whether the client has disconnected."""
    answer: Answer | None = None

    @property
    def wants_body(self) -> bool:
        """Whether the response depends on the body: neither read-only routes nor rejections have a use for one."""
        return self.operation is not None and self.answer is None

    def take(self, part: bytes, most: int) -> Rejection | None:
        """Append a part of the body. Returns a rejection of more than `most` bytes, or of too many small parts.

        The parts share one buffer, as separate `bytes` objects would take about forty more bytes each.
        """
        if not self.parts:
            self.body = part
        else:
            if self.parts == 1:
                self.body = bytearray(self.body)
            self.body += part
        self.parts += 1
        self.size += len(part)
        if self.size > most:
            return too_large(most)
        if self.parts > FREE_PARTS and self.size < self.parts * SMALLEST_PART:
            return Refusal.INVALID_HTTP("The body comes in too many small chunks; send larger ones.")
        return None

    def reply(self, status: int, body: bytes, headers: Headers) -> None:
        """Set the response; it is sent after those to earlier requests. Call this once."""
        self.answer = Answer(status, body, headers)
        if not self.disconnected:
            self.where.answered()

    def reject(self, rejection: Rejection) -> None:
        """Respond with a rejection."""
        self.reply(rejection.status, rejection.body(), rejection.headers)

    def seconds(self) -> float | None:
        """Seconds since the request was complete; None if it never was."""
        return time.perf_counter() - self.arrived if self.arrived else None


def require_json(content_type: bytes, content_length: bytes, limit: int) -> None:
    """Raise `Rejection` unless these header values announce JSON of at most `limit` bytes."""
    if content_type != JSON:
        media_type, _, parameters = content_type.partition(b";")
        charset = parameters.strip().lower().replace(b'"', b"")
        if media_type.strip().lower() != JSON or charset not in (b"", b"charset=utf-8"):
            raise Refusal.UNSUPPORTED_MEDIA_TYPE("Send the body as `content-type: application/json`, in UTF-8.")
    if content_length and int(content_length) > limit:
        raise too_large(limit)


def too_large(limit: int) -> Rejection:
    """The rejection of a body of more than `limit` bytes."""
    return Refusal.TOO_LARGE(f"The body is larger than {limit} bytes; send fewer records at once.")


class Pending(deque[Request]):
    """The requests whose responses have not been sent, in order of arrival."""

    def __init__(self, room: Room) -> None:
        """`room` has the bytes of their bodies."""
        super().__init__()
        self._room = room
        self.reading: Request | None = None
        """The request whose body is being received."""

    @property
    def waits(self) -> bool:
        """Whether a complete request is waiting for its response."""
        return bool(self) and self[0] is not self.reading

    def add(self, request: Request) -> None:
        """Add a request whose head has arrived."""
        self.append(request)
        self.reading = request

    def answered(self) -> tuple[Request, Answer] | None:
        """Remove the first request, which there must be, if it has its response, and return both."""
        if (answer := self[0].answer) is None:
            return None
        request = self.popleft()
        self._room.free(request.size)
        return request, answer

    def end_with_last(self) -> None:
        """Close the connection after the response to the last request."""
        self[-1].keep_alive = False

    def forget_partial(self) -> None:
        """Drop the request whose body does not come."""
        request, self.reading = self.reading, None
        if request is not None and request.wants_body:
            self.pop()
            self._room.free(request.size)

    def lose(self) -> None:
        """Mark all requests as those of a client that has disconnected, and release their memory."""
        for request in self:
            request.disconnected = True
            self._room.free(request.size)
        self.clear()
        self.reading = None


def written(request: Request, answer: Answer, *, close: bool) -> bytes:
    """The bytes of a response. The content type is JSON unless its headers set another."""
    status, body, headers = answer
    more = b"content-type: application/json\r\n"
    if headers:
        own = b"".join([b"%b: %b\r\n" % header for header in headers])
        more = own if any(name == b"content-type" for name, _ in headers) else own + more
    if close:
        more += b"connection: close\r\n"
    length = len(body)
    if request.method == b"HEAD":
        body = b""
    head = _head(status, int(time.time()))
    return b"%b%b\r\ncontent-length: %d\r\n%b\r\n%b" % (head, request.request_id, length, more, body)


@lru_cache(maxsize=64)
def _head(status: int, now: int) -> bytes:
    """The beginning of a response; `now` is in seconds since 1970."""
    phrase, date = HTTPStatus(status).phrase, formatdate(now, usegmt=True)
    return f"HTTP/1.1 {status} {phrase}\r\ndate: {date}\r\nx-request-id: ".encode()
