"""Opens a dataset's files, on disk or as Spark has read them for a task."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

_held: dict[Path, bytes] = {}


def source(file: Path) -> Path | BytesIO:
    """What a reader opens: the path, or the content that Spark has read."""
    content = _held.get(file)
    return file if content is None else BytesIO(content)


def opened(file: Path) -> BinaryIO:
    """The file, for reading at any place."""
    found = source(file)
    return found.open("rb") if isinstance(found, Path) else found


@contextmanager
def held(contents: Mapping[Path, bytes]) -> Iterator[None]:
    """Have `opened` return these contents during the block."""
    _held.update(contents)
    try:
        yield
    finally:
        _held.clear()
