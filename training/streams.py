"""Standard output belongs to the result alone: what Java, LightGBM and Python workers print goes to the log."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

LOG = "training.log"
"""What the file in a run's folder is called."""


@contextmanager
def output_to(log: Path) -> Iterator[TextIO]:
    """Send standard output and standard error of this process and its children to `log`; gives the former's stderr.

    Native code writes to the file descriptors and not to `sys.stdout`, so the descriptors themselves are replaced.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(descriptor) for descriptor in (1, 2)]
    with log.open("ab") as stream, os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace") as terminal:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
        try:
            yield terminal
        finally:
            for stream_of_python in (sys.stdout, sys.stderr):
                # A full disk must not keep the terminal from hearing about it.
                with suppress(OSError):
                    stream_of_python.flush()
            for descriptor, former in zip((1, 2), kept, strict=True):
                os.dup2(former, descriptor)
                os.close(former)
