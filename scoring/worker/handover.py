"""Hands the listening socket to the next service, so that no connection is refused during the switch."""

import json
import os
import socket
from contextlib import suppress
from pathlib import Path

from scoring.errors import ListenError

ANSWER_SECONDS = 1.0
"""How long a connected program may take to read the answer."""


class Handover:
    """A Unix socket. A program that connects gets a copy of the listening socket and the workers' state."""

    def __init__(self, path: Path, listener: socket.socket) -> None:
        """Listen at `path`, which only this process's user may access; raises `ListenError` if that fails."""
        self._listener = listener
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            path.unlink(missing_ok=True)
            self._socket.bind(str(path))
            path.chmod(0o600)
            self._socket.listen()
        except OSError as error:
            raise ListenError(f"--handover {path} cannot be a socket: {error.strerror or error}.") from error
        self._socket.setblocking(False)  # noqa: FBT003 - the standard library's

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    def answer(self, *, workers: int, serving: int, ready: int) -> None:
        """Answer one connected program. Of the configured `workers`, `serving` accept connections and `ready` score."""
        state = {"process": os.getpid(), "workers": workers, "serving": serving, "ready": ready}
        with suppress(OSError), self._socket.accept()[0] as asking:
            asking.settimeout(ANSWER_SECONDS)
            socket.send_fds(asking, [json.dumps(state).encode()], [self._listener.fileno()])

    def close(self) -> None:
        """Stop answering. The file stays, because it may already belong to the next service."""
        self._socket.close()
