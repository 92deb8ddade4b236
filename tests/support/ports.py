"""Free ports of this machine, no two test processes the same one."""

import fcntl
import os
import random
import socket
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TextIO

PORTS = range(20_000, 32_000)
"""Below Linux's default for `net.ipv4.ip_local_port_range`, 32768 to 60999, so that the system gives none of them to
another program meanwhile."""
_taken: set[int] = set()


def free_port() -> int:
    """A free port on loopback, which no test process gets again before this process ends."""
    for port in random.sample(PORTS, k=len(PORTS)):
        with socket.socket() as listener, suppress(OSError):
            if port not in _taken:  # a process's own locks don't exclude it
                fcntl.lockf(_marks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
                _taken.add(port)
                listener.bind(("127.0.0.1", port))
                return port
    raise AssertionError("no port is free")


@cache
def _marks() -> TextIO:
    """A file that a user's test processes share, with a lockable byte for each port; locks end with their process."""
    return Path(tempfile.gettempdir(), f"personalization-ports-{os.getuid()}").open("w")
