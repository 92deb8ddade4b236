"""A connection's transport, which is there only after the TLS handshake: before that, nothing is done."""

import asyncio
from typing import cast


class Wire:
    """Sends, and decides whether the client is read from."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a transport."""
        return self._transport is not None

    def open(self, transport: asyncio.BaseTransport) -> None:
        """Use `transport` from now on."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transport is not a subclass of asyncio's

    def write(self, data: bytes) -> None:
        """Send `data` after what was written before."""
        if self._transport is not None:
            self._transport.write(data)

    def stop_reading(self) -> None:
        """Read nothing from the client until `read_on`."""
        if self._transport is not None:
            self._transport.pause_reading()

    def read_on(self) -> None:
        """Read from the client again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def finish(self) -> None:
        """Send nothing after what was written."""
        if self._transport is not None and self._transport.can_write_eof():
            self._transport.write_eof()
        elif self._transport is not None:  # closing TLS needs the client to cooperate; the shutdown has a timeout
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()
