"""Gzip files, and the error for truncated ones."""

import gzip
import zlib
from pathlib import Path

from training.datasets.errors import TruncatedFileError

DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error)
"""What reading a truncated or damaged gzip file raises."""
_START = b"\x1f\x8b"


def is_gzip(file: Path) -> bool:
    """Whether the file's content is gzip, regardless of its name."""
    with file.open("rb") as probe:
        return probe.read(len(_START)) == _START


def truncated(file: Path, reason: str) -> TruncatedFileError:
    """The error for a file that cannot be read to its end."""
    return TruncatedFileError(f"The gzip file {file} is truncated or damaged: {reason}. Copy or download it again.")
