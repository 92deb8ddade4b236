"""How a connection ends when the service does: its client learns of it with an answer, and loses no request.

Closing an idle connection at once, as uvicorn does, meets the request that its client is just sending. Here the answer
to that request says `connection: close`, and only who asks no more for a while is let go.
"""

from scoring.http.direct import DirectConnection

FAREWELL_SECONDS = 3.0
"""A client in steady use of its connection sends something within this time."""


class DrainingConnection(DirectConnection):
    """A connection whose last answer says so."""

    _leaving = False

    def shutdown(self) -> None:
        """Called by uvicorn when the service ends and takes no further connections."""
        if self._running():
            super().shutdown()
            return
        self._leaving = True
        self.loop.call_later(FAREWELL_SECONDS, self._let_go)

    def on_headers_complete(self) -> None:
        """Called by the parser before the body: the answer to this request is the connection's last."""
        super().on_headers_complete()
        if self._leaving and self._running():
            self.cycle.keep_alive = False

    def _let_go(self) -> None:
        if not self._running() and not self._receiving:
            self._close()
