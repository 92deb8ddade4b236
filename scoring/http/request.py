"""A request: what the service needs of its head, its body, and its answer until that can be sent."""

import re
import time
from collections.abc import Mapping
from itertools import count
from secrets import token_hex
from typing import TYPE_CHECKING, NamedTuple, Protocol

from scoring.model.operations import Operation
from scoring.request_errors import InvalidHttp, Rejection, TooLarge, UnsupportedMediaType

if TYPE_CHECKING:
    from scoring.worker.keys import Key
    from scoring.worker.tracing import Trace  # brings OpenTelemetry, which only an image that traces has

Headers = list[tuple[bytes, bytes]]

JSON = b"application/json"
UNREAD_BYTES = 65_536
"""What is read of the body of a request that was refused; with a larger one the connection ends."""

FREE_PARTS = 1024
"""Chunks of a body that may be as small as they like,"""

SMALLEST_PART = 64
"""and bytes that those of a larger body must have on average: each costs as much as a hundred bytes do."""

REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")


class Answer(NamedTuple):
    """A status, a body and the headers beyond those of every answer."""

    status: int
    body: bytes
    headers: Headers


class Answering(Protocol):
    """Where answers go."""

    def answered(self) -> None:
        """Called when a request of this connection has its answer."""
        ...


class RequestIds:
    """Ids that no other worker gives, nor this one after another start."""

    def __init__(self) -> None:
        """Made in the worker's own process: what is drawn before a fork would be every worker's."""
        self._process = token_hex(6).encode()
        self._serial = count(1)

    def of(self, wanted: bytes) -> bytes:
        """The client's own id when it can stand in a log, else a new one."""
        if wanted and REQUEST_ID.fullmatch(wanted):
            return wanted
        return b"%b-%x" % (self._process, next(self._serial))


class Request:
    """A request of which the head is there."""

    __slots__ = (
        "answer",
        "arrived",
        "body",
        "disconnected",
        "headers",
        "keep_alive",
        "key",
        "method",
        "operation",
        "parts",
        "path",
        "request_id",
        "size",
        "trace",
        "where",
    )

    def __init__(
        self, where: Answering, method: bytes, path: bytes, headers: Mapping[bytes, bytes], request_id: bytes
    ) -> None:
        """`headers` have their names in lower case; the answer goes to `where`."""
        self.where = where
        self.method = method
        self.path = path
        self.headers = headers
        self.request_id = request_id
        self.operation: Operation | None = None
        self.key: Key | None = None
        self.trace: Trace | None = None
        self.body: bytes | bytearray = b""
        self.size = self.parts = 0
        self.arrived = 0.0
        """When its last byte came, by `time.perf_counter`."""
        self.keep_alive = True
        self.disconnected = False
        """Whether its client went away."""
        self.answer: Answer | None = None

    def take(self, part: bytes, most: int) -> Rejection | None:
        """Put a part of the body to the others; the rejection of more than `most` bytes, or of too many parts.

        They go into one buffer: each as bytes of its own would take forty more.
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
            return InvalidHttp("The body comes in too many small chunks; send larger ones.")
        return None

    def body_is_large(self) -> bool:
        """Whether so much of a body is announced that it is not worth reading once the request is refused."""
        return b"transfer-encoding" in self.headers or int(self.headers.get(b"content-length", 0)) > UNREAD_BYTES

    def reply(self, status: int, body: bytes, headers: Headers) -> None:
        """Give the answer, which is sent when those before it are. Called once."""
        self.answer = Answer(status, body, headers)
        if not self.disconnected:
            self.where.answered()

    def reject(self, rejection: Rejection) -> None:
        """Give a refusal as the answer."""
        self.reply(rejection.status, rejection.body(), rejection.headers())

    def seconds(self) -> float:
        """Since it was whole; 0 when it never was."""
        return time.perf_counter() - self.arrived if self.arrived else 0.0


def require_json(content_type: bytes, content_length: bytes, limit: int) -> None:
    """Raise a `Rejection` unless a head with these values announces JSON of at most `limit` bytes."""
    if content_type != JSON:
        media_type, _, parameters = content_type.partition(b";")
        charset = parameters.strip().lower().replace(b'"', b"")
        if media_type.strip().lower() != JSON or charset not in (b"", b"charset=utf-8"):
            raise UnsupportedMediaType("Send the body as `content-type: application/json`, in UTF-8.")
    if content_length and int(content_length) > limit:
        raise too_large(limit)


def too_large(limit: int) -> Rejection:
    """The rejection of a body above the limit."""
    return TooLarge(f"The body is larger than {limit} bytes; send fewer records at once.")
