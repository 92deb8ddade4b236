"""Parses requests with httptools, and adds limits on headers, chunk extensions, trailers and pipelined requests.

Offers to upgrade to another protocol are ignored, and the request is served as HTTP/1.1.
"""

from typing import TYPE_CHECKING

import httptools

from scoring.request_errors import Headers, Refusal, Rejection, method_not_allowed

if TYPE_CHECKING:
    from scoring.http.connection import Connection

MAX_PIPELINED = 32
"""Requests that a client may send without waiting for their responses."""

PARSED_TOGETHER = 16 << 10
"""The most bytes that are parsed before sizes are checked again. A read may have many more."""

LINE_BYTES = 3
"""The least that a header has beside its name and value: a colon and the end of its line."""


class StopReading(Exception):  # noqa: N818 - no failure: the parser is left from within one of its callbacks
    """Raised by a connection to stop parsing."""


class Reader:
    """The parser of one connection."""

    def __init__(self, receiver: "Connection", max_header_bytes: int) -> None:
        self.in_head = False
        """Whether a request has begun and its head is incomplete."""
        self._in_request = False
        self._receiver = receiver
        self._max_header_bytes = max_header_bytes
        self._parser = self._new_parser()
        self._begun = 0
        self._head_bytes = self._piece_bytes = self._framing_bytes = 0
        """`_framing_bytes`: those of a request beside its body, as chunk extensions: at most as many as the body has,
        and as headers may have. In the part of a read in which it begins none is counted."""
        self._refusal: Rejection | None = None
        self._target = b""
        self._headers: Headers = []

    def feed(self, data: bytes) -> None:
        """Parse received bytes."""
        self._begun = 0
        if len(data) <= PARSED_TOGETHER:  # as nearly always
            self._parse(data)
            return
        for start in range(0, len(data), PARSED_TOGETHER):
            if not self._parse(data[start : start + PARSED_TOGETHER]):
                return

    def give_up(self, rejection: Rejection) -> None:
        """Reject the request in progress instead of waiting for the rest."""
        self._receiver.misunderstood(rejection, self._target, self._headers)

    def close(self) -> None:
        """Break the reference cycles with the parser and the receiver.

        Otherwise only the garbage collector frees them, which pauses all clients of the worker.
        """
        del self._parser, self._receiver

    def on_message_begin(self) -> None:
        """Called by the parser at the first byte of a request."""
        self._begun += 1
        self._receiver.begin(self._begun)
        self.in_head = self._in_request = True
        self._head_bytes, self._framing_bytes = 0, -self._piece_bytes
        self._target = b""
        self._headers = []

    def on_url(self, url: bytes) -> None:
        """Called by the parser for each part of the request target."""
        self._head_bytes += len(url)
        if self._head_bytes > self._max_header_bytes:
            raise self._stop(self._headers_too_large())
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser for each header, and for each trailer of a chunked body."""
        self._head_bytes += len(name) + len(value) + LINE_BYTES
        if self._head_bytes > self._max_header_bytes:
            raise self._stop(self._headers_too_large())
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Called by the parser before the body."""
        parser = self._parser
        method = parser.get_method()
        if method == b"CONNECT":
            raise self._stop(method_not_allowed(b"CONNECT", allowed="GET, POST"))
        if parser.should_upgrade():
            return
        version = parser.get_http_version()
        newer = version == "1.1"
        if not newer and version != "1.0":
            raise self._stop(Refusal.INVALID_HTTP("The request is not HTTP/1.1 or HTTP/1.0."))
        names = [name for name, _ in self._headers]
        hosts = names.count(b"host")
        if hosts > 1 or (newer and not hosts):
            raise self._stop(Refusal.INVALID_HTTP("The request must have exactly one `host` header."))
        if b"transfer-encoding" in names and self._is_coded():
            raise self._stop(
                Refusal.UNKNOWN_CODING("The body is encoded; send it as it is, in chunks or with its length.")
            )
        self.in_head = False
        if self._framing_bytes > 0:  # noqa: PLR1730 - a call of `min` costs more, and each request does this
            self._framing_bytes = 0
        if not newer:  # it has no interim answers, so its `expect` is to be ignored
            self._headers = [header for header in self._headers if header[0] != b"expect"]
        keep_alive = parser.should_keep_alive() and newer
        self._receiver.head(method, self._target, self._headers, keep_alive=keep_alive)

    def on_body(self, body: bytes) -> None:
        """Called by the parser for each part of a body."""
        self._framing_bytes -= 2 * len(body)
        self._receiver.part(body)

    def on_message_complete(self) -> None:
        """Called by the parser at the end of a request."""
        self._in_request = False
        if not self._parser.should_upgrade():
            self._receiver.whole()

    def _parse(self, data: bytes) -> bool:
        """Parse a part of a read; returns whether to go on with the next one."""
        self._piece_bytes = len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._stay_with_http(memoryview(data)[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._fail(error)
            return False
        self._framing_bytes += len(data)
        if self._in_request and self._framing_bytes > self._max_header_bytes:
            self.give_up(self._headers_too_large())
            return False
        return True

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)  # bytes after the last request are ignored
        return parser

    def _fail(self, error: httptools.HttpParserError) -> None:
        if self._refusal is None and isinstance(error.__context__, StopReading) and not self.in_head:
            return  # the receiver has handled it
        self.give_up(self._refusal or Refusal.INVALID_HTTP("The request is not valid HTTP/1.1."))

    def _stop(self, refusal: Rejection) -> StopReading:
        """What to raise in order to reject the request."""
        self._refusal = refusal
        return StopReading()

    def _is_coded(self) -> bool:
        """Whether the body has another transfer coding before its chunks."""
        given = b",".join([value for name, value in self._headers if name == b"transfer-encoding"])
        codings = [one.strip().lower() for one in given.split(b",")]
        return len(codings) > 1 and codings[-1] == b"chunked"

    def _stay_with_http(self, rest: memoryview) -> bool:
        """Parse a request again, without its `upgrade` header; returns whether to go on with the next part of the read.

        A server may ignore the header, and Java's HTTP client and curl rely on that. But the parser takes the body for
        data of the other protocol; `rest` is the beginning of the body.
        """
        pieces = [rest, memoryview(self._head_without_upgrade())]
        while pieces:
            piece = pieces.pop()
            if not piece:
                continue
            self._piece_bytes = len(piece)
            try:
                self._parser.feed_data(piece)
            except httptools.HttpParserUpgrade as upgrade:
                pieces += [piece[upgrade.args[0] :], memoryview(self._head_without_upgrade())]
            except httptools.HttpParserError as error:
                self._fail(error)
                return False
        return True

    def _head_without_upgrade(self) -> bytes:
        method, version = self._parser.get_method(), self._parser.get_http_version().encode()
        headers = b"".join(b"%b: %b\r\n" % header for header in self._headers if header[0] != b"upgrade")
        head = b"%b %b HTTP/%b\r\n%b\r\n" % (method, self._target, version, headers)
        self._parser = self._new_parser()
        return head

    def _headers_too_large(self) -> Rejection:
        return Refusal.HEADERS_TOO_LARGE(
            f"The headers, or a body's trailers or chunk extensions, are larger than {self._max_header_bytes} bytes; "
            "send fewer or shorter ones."
        )
