"""Serializes responses. Their common headers are cached for a second, after which the date changes."""

import time
from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus

from scoring.http.request import Answer, Request

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Writer:
    """Serializes responses."""

    def __init__(self) -> None:
        self._second = 0
        self._heads: dict[int, bytes] = {}

    def answer(self, request: Request, answer: Answer, *, close: bool) -> bytes:
        """The bytes of a response. The content type is JSON unless its headers set another."""
        status, body, headers = answer
        more = _lines(headers) if headers else b""
        if not (headers and any(name == b"content-type" for name, _ in headers)):
            more += b"content-type: application/json\r\n"
        if close:
            more += b"connection: close\r\n"
        length = len(body)
        if request.method == b"HEAD":
            body = b""
        return b"%b%b\r\ncontent-length: %d\r\n%b\r\n%b" % (self._head(status), request.request_id, length, more, body)

    def _head(self, status: int) -> bytes:
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._heads.clear()
        head = self._heads.get(status)
        if head is None:
            phrase = HTTPStatus(status).phrase
            date = formatdate(now, usegmt=True)
            head = self._heads[status] = f"HTTP/1.1 {status} {phrase}\r\ndate: {date}\r\nx-request-id: ".encode()
        return head


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)
