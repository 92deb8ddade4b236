"""Profiles of a table's columns, from its beginning, as the basis of guesses, and how its text files are written."""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from features.values import TimeFormat, is_number, microseconds
from training.config import Fill, Source
from training.errors import GuessError
from training.tables.columns import header, lists_in, require_columns
from training.tables.files import USUAL, files_of
from training.tables.opening import open_bytes, readable
from training.tables.quick import ONE_SPELLING, SAMPLE_CHARACTERS, Look, malformed
from training.tables.texts import Beginning
from training.tables.typed import TableRules, with_point

UNIT = "\x1f"
"""The separator of lists' values in profiles: ASCII's own, which is in no text."""
IN_WORDS = (TimeFormat.ISO, TimeFormat.DAY_FIRST, TimeFormat.MONTH_FIRST)
USERS = {"user", "customer", "member", "visitor", "person", "people", "client", "reader", "viewer", "account"}
USERS |= {"student", "learner", "pupil", "attendee", "participant", "patient"}
USERS |= {"donor", "household", "shopper", "buyer", "subscriber"}
USERS |= {"listener", "guest", "profile", "email", "mail"}
USERS |= {"kunde", "kunden", "kundin", "käufer", "besucher", "benutzer", "nutzer", "mitglied"}
ITEMS = {"item", "product", "movie", "film", "article", "book", "song", "track", "ad", "offer", "sku", "video", "game"}
ITEMS |= {"course", "lesson", "business", "place", "restaurant", "recipe"}
ITEMS |= {"podcast", "episode", "artist", "album", "job"}
ITEMS |= {"variant", "asin", "ean", "stock", "artikel", "produkt", "ware"}
TITLES = {"title", "titel", "bezeichnung"}
ORDERS = {"order", "basket", "transaction", "invoice", "receipt", "cart", "checkout"}
ORDERS |= {"bestell", "auftrag", "auftrags", "rechnung", "rechnungs", "beleg", "bon", "warenkorb"}
_THOUSANDS = re.compile(r"-?\d{1,3}(,\d{3})*")
"""Whole numbers whose comma may separate thousands, such as `1,980` yen."""
_PLURAL = re.compile(r"(?<=..)(?<![si])(?<![^k]u)s$")
"""The s of `ads` and `skus`; those of `ts`, `class`, `analysis` and `status` are no plurals'."""
_GERMAN = re.compile(r"(?<=..)(?=(?:nummer|nr|datum|zeit|menge)\b)")
"""Where a German word such as `kundennummer` begins with another."""
_ID = re.compile(rf"\b({'|'.join({*USERS, *ITEMS, *ORDERS, 'category', 'session'})})(?=ids?\b)")
"""What is before the `id` of `itemid`; `paid` and `android` have none."""
MISSING = frozenset({"NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "Null", "None", "\\N", "?", "-", "--"})
"""Texts that usually mean missing."""
folded = ONE_SPELLING.of
"""The one text of a key that is compared without case and spaces around it."""


@dataclass(frozen=True)
class ColumnProfile:
    """The distinct texts of a column, including the empty one, with their frequencies."""

    name: str
    texts: Counter[str]

    @cached_property
    def folded(self) -> frozenset[str]:
        """The values as keys that are compared without case and spaces around them."""
        return frozenset(map(folded, self.values))

    @cached_property
    def values(self) -> Counter[str]:
        """The texts that are not empty."""
        return Counter({text: count for text, count in self.texts.items() if text})

    @cached_property
    def filled(self) -> int:
        """How many fields are not empty."""
        return self.values.total()

    @property
    def is_complete(self) -> bool:
        """Whether no field is empty."""
        return "" not in self.texts

    @property
    def is_unique(self) -> bool:
        """Whether all fields are distinct and none is empty."""
        return self.is_complete and self.filled == len(self.values)

    @cached_property
    def not_numbers(self) -> Counter[str]:
        """The texts that are not numbers."""
        return Counter({text: count for text, count in self.values.items() if not is_number(text)})

    @cached_property
    def numbers(self) -> list[float]:
        """The distinct numbers, in order."""
        return sorted({float(text) for text in self.values if text not in self.not_numbers})

    @cached_property
    def time_formats(self) -> list[TimeFormat]:
        """The formats that fit every filled field, if all are times in words. Both orders of day and month fit if no
        number over 12 decides."""
        if not self.values or len(self.not_numbers) < len(self.values):
            return []
        return [form for form in IN_WORDS if all(microseconds(text, form) is not None for text in self.values)]


@dataclass(frozen=True, kw_only=True)
class TableProfile:
    """A table's columns by name, from all its rows if `whole`, else from the first `rows`."""

    source: Source
    rows: int
    whole: bool
    columns: dict[str, ColumnProfile]
    lists: list[str]
    """Columns of lists, whose values are separated by `UNIT` in the texts."""
    joined: tuple[tuple["TableProfile", str], ...] = ()
    """The tables whose columns it has, too, each by the column that is its key."""

    @property
    def path(self) -> Path:
        """The table's file or folder."""
        return self.source.paths[0]

    @property
    def shown_rows(self) -> str:
        """How many rows were profiled, in words."""
        return f"{self.rows:,} rows" if self.whole else f"the first {self.rows:,} rows"


def profile(*paths: Path) -> TableProfile:
    """The profile of a table, of one or several files or folders; raises a `DatasetError` for a file that can't be read
    or has no row, and `GuessError` if the column names are missing.
    """
    path, *_ = paths
    source = as_written(path)
    if len(paths) > 1:
        source = source.model_copy(update={"path": paths})
    files = files_of(source)
    lists, names = lists_in(files[0]), header(files[0])
    if all(map(is_number, names)):
        raise GuessError(
            f"The first row of {path} must name the columns, but looks like data: {', '.join(names[:5])}. Add a header "
            "row."
        )
    require_columns(files, names)
    found = _profiled(TableProfile(source=source, rows=0, whole=False, columns={}, lists=lists), names)
    if not found.rows:
        # Raises an error if there is not even a malformed row.
        rules = TableRules(source=source, files=files, keys={}, one_row_per=(names[0],))
        raise malformed(Look(rules, SAMPLE_CHARACTERS).faults)
    if files[0].is_text and _has_commas({name: column.texts for name, column in found.columns.items()}):
        return _profiled(replace(found, source=source.model_copy(update={"decimal": ","})), names)
    return found


def with_keys(table: TableProfile, keys: Sequence[str]) -> TableProfile:
    """The profile of the rows that have all these keys, which `missing_keys` leaves."""
    if all(table.columns[name].is_complete for name in keys):
        return table
    return _profiled(table, [*table.columns], keys)


def filled(table: TableProfile, by: str, columns: Sequence[str]) -> TableProfile:
    """The profile of a table whose rows with one value in `by` have that of the others in these columns."""
    source = table.source.model_copy(update={"fill": Fill(by=by, columns=tuple(columns))})
    return _profiled(replace(table, source=source), [*table.columns])


def joined(lines: TableProfile, others: Sequence[tuple[TableProfile, str]]) -> TableProfile:
    """The profile of the rows that have a row in each of these tables, each found by its column that is named."""
    names = dict.fromkeys([*lines.columns, *(name for other, _ in others for name in other.columns)])
    return _profiled(replace(lines, joined=tuple(others)), [*names])


def beginning(table: TableProfile, names: Sequence[str]) -> tuple[pa.Table, bool]:
    """The texts of these columns in the rows that are profiled, and whether these are all."""
    needed = {*names, *(key for _, key in table.joined)}
    own = header(files_of(table.source)[0]) if table.joined else names
    files = tuple(replace(file, lists=tuple((name, UNIT) for name in table.lists)) for file in files_of(table.source))
    own = [name for name in own if name in needed]
    chunks = Beginning(files, own, SAMPLE_CHARACTERS)
    none = pa.table({name: pa.array([], pa.string()) for name in own})
    rows = pa.concat_tables([none, *(pa.table(chunk.texts()) for chunk in chunks)])
    for other, key in table.joined:
        wanted = [name for name in other.columns if name == key or (name in needed and name not in rows.column_names)]
        rows = rows.join(beginning(other, wanted)[0], key, join_type="inner")
    return rows.select(names), chunks.whole


def _profiled(table: TableProfile, names: Sequence[str], keys: Sequence[str] = ()) -> TableProfile:
    rows, whole = beginning(table, names)
    for key in keys:
        rows = rows.filter(pc.not_equal(rows[key], ""))
    texts = {name: Counter(rows[name].to_pylist()) for name in names}
    if table.source.decimal == ",":
        texts = {name: Counter({_plain(text): n for text, n in column.items()}) for name, column in texts.items()}
    columns = {name: ColumnProfile(name, counts) for name, counts in texts.items()}
    return replace(table, rows=rows.num_rows, whole=whole, columns=columns)


def words(name: str) -> list[str]:
    """The words of a column's or file's name, in lower case and without a plural s."""
    apart = re.sub(r"[\W_]+", " ", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)).lower()
    return [_PLURAL.sub("", word) for word in _ID.sub(r"\1 ", _GERMAN.sub(" ", apart)).split()]


def _has_commas(texts: Mapping[str, Mapping[str, int]]) -> bool:
    """Whether some columns have numbers that are written with a comma, and none has numbers with a point."""
    filled = [set(column) - {"", *MISSING} for column in texts.values()]
    signs = {
        sign
        for sign in ".,"
        for one in filled
        if any(sign in text for text in one) and all(is_number(with_point(text, sign)) for text in one)
        if not all(_THOUSANDS.fullmatch(text) for text in one)
    }
    return signs == {","}


def _plain(text: str) -> str:
    return plain if is_number(plain := with_point(text, ",")) else text


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
    separator = None if first.separator in header else next((sign for sign in _SEPARATORS if sign in header), None)
    is_single = header[:1] == header[-1:] == "'" and len(header) > 1 and '"' not in header
    quote = "'" if is_single else USUAL.quote
    text = io.StringIO(content.decode(encoding, "replace"), newline="")
    breaks = not is_single and _has_line_breaks([*csv.reader(text, delimiter=separator or first.separator)])
    return Source(path=path, separator=separator, encoding=encoding, quote=quote, line_breaks=breaks)


def _has_line_breaks(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a row with as many fields as the first one, and not the last, which may be cut off, has a line break."""
    return any(len(row) == len(rows[0]) and any("\n" in text for text in row) for row in rows[1:-1])


def _is_in(content: bytes, encoding: str) -> bool:
    """Whether the content up to its last line break is in this encoding."""
    try:
        content[: content.rfind(b"\n") + 1 or None].decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
