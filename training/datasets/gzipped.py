"""Files that gzip may have compressed, and what is said of one that is cut off."""

import gzip
import zlib
from pathlib import Path

from training.datasets.errors import TruncatedFileError

DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error)
"""What reading a file raises that is cut off or altered."""
_START = b"\x1f\x8b"


def is_gzip(file: Path) -> bool:
    """Whether the file's content is compressed, whatever its name says."""
    with file.open("rb") as probe:
        return probe.read(len(_START)) == _START


def truncated(file: Path, reason: str) -> TruncatedFileError:
    """The error for a file that cannot be read to its end."""
    return TruncatedFileError(f"The gzip file {file} is truncated or damaged: {reason}. Copy or download it again.")
