"""A connection's transport, which is there only after the TLS handshake: before that, nothing is done."""

import asyncio
from collections.abc import Callable
from typing import cast


class Wire:
    """Sends, and decides whether the client is read from."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self.write: Callable[[bytes], None] = _drop
        """Sends bytes after what was written before."""

    @property
    def is_open(self) -> bool:
        """Whether there is a transport."""
        return self._transport is not None

    @property
    def is_plain(self) -> bool:
        """Whether it has no TLS, which can't close one direction, nor tell when all is sent."""
        return self._transport is not None and self._transport.can_write_eof()

    def open(self, transport: asyncio.BaseTransport) -> None:
        """Use `transport` from now on."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transport is not a subclass of asyncio's
        self.write = self._transport.write

    def stop_reading(self) -> None:
        """Read nothing from the client until `read_on`."""
        if self._transport is not None:
            self._transport.pause_reading()

    def read_on(self) -> None:
        """Read from the client again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def finish(self, *, half_closed: bool) -> None:
        """Send nothing after what was written; the protocol's writing is paused until all of that is sent.

        A client that has `half_closed` the connection has sent all that it will, and need not be listened to.
        """
        if self._transport is None:
            return
        self._transport.set_write_buffer_limits(0)
        if self.is_plain and not half_closed:
            self._transport.write_eof()
        else:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()


def _drop(data: bytes) -> None:
    del data
