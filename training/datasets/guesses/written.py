"""Guesses how a table's text files are written: their encoding, and the characters around fields."""

from pathlib import Path

from training.datasets.described.files import TableFile, files_of
from training.datasets.described.opening import open_bytes, readable
from training.datasets.described.sources import Source

_READ_BYTES = 1 << 20
_SEPARATORS = (";", "\t", "|", ",")
_ENCODINGS = ("utf-8", "cp1252", "latin-1")
"""Tried in this order. Every file is Latin-1, and nearly every file that Windows wrote is Windows-1252."""


def as_written(path: Path) -> Source:
    """A table, a file or a folder, with what is unusual in the first of its text files."""
    first, *_ = files_of(Source(path=path))
    if not first.is_text:
        return Source(path=path)
    with readable(first), open_bytes(first.path) as stream:
        content = stream.read(_READ_BYTES)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16, which reading refuses
        return Source(path=path)
    encoding = next(name for name in _ENCODINGS if _is_in(content, name))
    header = content.split(b"\n", 1)[0].decode(encoding).removeprefix("\ufeff").strip("\r")
    quote = _quote(header)
    return Source(path=path, separator=_separator(header, first), encoding=encoding, quote=quote)


def _is_in(content: bytes, encoding: str) -> bool:
    """Whether the content up to its last line break is in this encoding."""
    try:
        content[: content.rfind(b"\n") + 1 or None].decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _separator(header: str, file: TableFile) -> str | None:
    """The character that separates the columns' names, if it is none that the file's name says."""
    usual = file.separator
    if usual in header:
        return None
    return next((sign for sign in _SEPARATORS if sign in header), None)


def _quote(header: str) -> str:
    """The character around the columns' names: a single quote where all of them have one, else the usual one."""
    is_single = header[:1] == header[-1:] == "'" and len(header) > 1 and '"' not in header
    return "'" if is_single else '"'
