"""Hands the service's listening socket to the next service, so that no connection is refused between the two."""

import json
import os
import socket
from contextlib import suppress
from pathlib import Path

from scoring.errors import ListenError

ANSWER_SECONDS = 1.0
"""How long a program that asks may take to read the answer."""


class Handover:
    """A Unix socket. A program that connects to it gets a copy of the listening socket and the state of the workers."""

    def __init__(self, path: Path, listener: socket.socket) -> None:
        """Listen at `path`, for the user of this process alone; raises `ListenError` if that is impossible."""
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
        """Answer one program that has connected. `workers` are wanted, `serving` accept connections, `ready` score."""
        state = {"process": os.getpid(), "workers": workers, "serving": serving, "ready": ready}
        with suppress(OSError), self._socket.accept()[0] as asking:
            asking.settimeout(ANSWER_SECONDS)
            socket.send_fds(asking, [json.dumps(state).encode()], [self._listener.fileno()])

    def close(self) -> None:
        """Answer nobody any more. The file stays: it may be the next service's by now."""
        self._socket.close()
