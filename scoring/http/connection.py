"""One client's connection: what uvicorn leaves open is closed here, before a request costs the service anything.

Limits on headers and on waiting requests; and what is not valid HTTP gets the same shape of answer as every other
refusal. A request above capacity is refused before anything starts for it.
"""

from typing import cast

import httptools
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from scoring.exchange import Head
from scoring.http.timeouts import LINGER_SECONDS, PatientConnection
from scoring.request_errors import (
    HeadersTooLarge,
    InvalidHttp,
    MethodNotAllowed,
    Overloaded,
    Rejection,
    SlowBody,
    SlowHead,
)

MAX_PIPELINED = 32
"""Requests that a client may send ahead of their answers."""


class _LimitError(Exception):
    """Leaves the parser from within one of its callbacks."""


class NoEvent:
    """What uvicorn sets for whoever waits for a cycle's messages, where nobody does."""

    def set(self) -> None:
        """Do nothing."""


class _Refused:
    """Stands for the cycle of a request that was answered without one."""

    response_complete = True
    more_body = disconnected = False
    keep_alive = True
    message_event = NoEvent()


class Connection(PatientConnection):
    """A connection with limits. Made by uvicorn, one for each client."""

    _receiving = _in_head = _ended = False
    _head_bytes = _unparsed_bytes = 0
    _refusal: Rejection | None = None

    def data_received(self, data: bytes) -> None:
        """Parse what came, and wait for the rest of a request that is not whole."""
        if self._ended:
            return
        if self._in_head:
            self._unparsed_bytes += len(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay_with_http(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self._refuse(self._refusal or InvalidHttp("The request is not valid HTTP/1.1."))
            return
        if self._receiving:
            if self._in_head and self._unparsed_bytes > self._settings.max_header_bytes:
                self._refuse(self._headers_too_large())
            else:
                self._wait_for_client()
        elif not (self._running() or self._resting()):
            self._wait_for_client()

    def on_message_begin(self) -> None:
        """Called by the parser at the first byte of a request."""
        self._receiving = self._in_head = True
        self._head_bytes = self._unparsed_bytes = 0
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_url(self, url: bytes) -> None:
        """Called by the parser for a part of the request's target."""
        self._head_bytes += len(url)
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser for a header."""
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > self._settings.max_header_bytes:
            self._refusal = self._headers_too_large()
            raise _LimitError
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Called by the parser before the body: start the request, or refuse it when too many wait."""
        running = self._running()
        if running and len(self.pipeline) >= MAX_PIPELINED:
            raise _LimitError
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refusal = MethodNotAllowed("CONNECT", allowed="GET, POST")
            raise _LimitError
        if self.parser.should_upgrade():
            return
        if running or method != b"POST" or not self._answer_at_once():
            self._start_cycle()
        self._in_head = False

    def on_message_complete(self) -> None:
        """Called by the parser at the end of a request."""
        if self.parser.should_upgrade():
            return
        self._receiving = False
        self._stop_waiting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Called after an answer; the request's body may still be coming."""
        super().on_response_complete()
        if self._receiving:
            self._wait_for_client()

    def _stay_with_http(self, rest: bytes) -> None:
        """Read a request whose client would rather speak another protocol again, without that wish.

        A server may ignore it, and Java's and curl's clients count on that. But the parser takes the body, of which
        `rest` has the beginning, for the other protocol.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        headers = b"".join(b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self.data_received(b"%b %b HTTP/%b\r\n%b\r\n%b" % (method, self.url, version, headers, rest))

    def _answer_at_once(self) -> bool:
        """Whether the request whose head is complete is answered, or will be, without a cycle."""
        surplus = len(self.connections) > self._settings.max_connections
        if surplus or self.front.batcher.queue.full():
            self._shed(close=surplus)
            return True
        return self._take()

    def _take(self) -> bool:
        """Whether the request whose head is complete needs no cycle of uvicorn's."""
        return False

    def _running(self) -> bool:
        """Whether a request has no answer yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def _resting(self) -> bool:
        """Whether the connection is kept for a client's next request."""
        return self.timeout_keep_alive_task is not None

    def _start_cycle(self) -> None:
        """Let uvicorn make an ASGI exchange of the request."""
        url, headers, expect_100_continue = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()  # makes the scope, which only this way needs
        self.url, self.expect_100_continue = url, expect_100_continue
        self.headers += headers
        super().on_headers_complete()

    def _give_up(self) -> None:
        self._client_timer = None
        seconds = f"{self._settings.client_seconds:g} seconds"
        if not self._receiving or self._ended:
            self._hang_up()
        elif self._in_head:
            self._refuse(SlowHead(f"The headers did not arrive within {seconds}."))
        else:
            self._refuse(SlowBody(f"The body did not arrive within {seconds}."))

    def _shed(self, *, close: bool) -> None:
        """Answer 503 without starting anything."""
        close = close or not self.parser.should_keep_alive()
        rejection = Overloaded("More requests wait than the service can answer in time; try again later.")
        self.cycle = cast("RequestResponseCycle", _Refused())
        self._write(rejection, self.url.decode("ascii", "replace"), close=close)
        if close:
            self._leave()
        else:
            super().on_response_complete()

    def _refuse(self, rejection: Rejection) -> None:
        """Answer a request that cannot be served, after those before it, and end the connection."""
        running = self._running()
        if running and self._in_head:
            self._ended = True  # what came before was in order: it is answered, and then the connection closes
            self.cycle.keep_alive = False
            return
        if running and (self.pipeline or self.cycle.response_started):
            self._hang_up()
            return
        if running:
            self.cycle.disconnected = True
            self._abandon()
        if running or self._in_head or not self._receiving:
            self._write(rejection, self.url.decode("ascii", "replace") if self._receiving else "", close=True)
        self._leave()

    def _write(self, rejection: Rejection, path: str, *, close: bool) -> None:
        request_id = Head(self.headers or []).request_id
        defaults, status = self.server_state.default_headers, rejection.status
        headers = [header for header in rejection.headers() if header[0] != b"connection"]
        answer = self.front.writer.answer(
            defaults, status, rejection.body(), headers, request_id=request_id, close=close
        )
        self.transport.write(answer)
        self.front.refused(path, status, request_id)

    def _leave(self) -> None:
        self._ended = True
        self._stop_waiting()
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self._client_timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)
        else:
            self._close()

    def _headers_too_large(self) -> HeadersTooLarge:
        limit = self._settings.max_header_bytes
        return HeadersTooLarge(f"The headers are larger than {limit} bytes; send fewer or shorter ones.")
