"""Redirects the output of Java, LightGBM and Python workers to the log: standard output is for the result only."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

LOG = "training.log"
"""The log's file name in a run's folder."""


@contextmanager
def output_to(log: Path) -> Iterator[TextIO]:
    """Send standard output and standard error of this process and its children to `log`; yields the original stderr.

    The file descriptors themselves are replaced, because native code does not use `sys.stdout`.
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
                # A full disk must still be reported on the terminal.
                with suppress(OSError):
                    stream_of_python.flush()
            for descriptor, former in zip((1, 2), kept, strict=True):
                os.dup2(former, descriptor)
                os.close(former)
