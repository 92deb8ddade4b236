"""The files of a table: their formats, the columns that are in the names of their folders, and which days are read."""

import csv
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from training.config import Days, Source, TablesSpec, TextFormat, read_spec
from training.errors import EmptyDatasetError, MissingFileError, SpecError
from training.tables.delta import DeltaVersion, delta_version, is_delta, newest
from training.tables.keys import KnownKeys

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""What Hive and Spark write where a partition's value is missing."""


def folder_values(name: str) -> dict[str, str]:
    """The columns that a file's folders name, such as `day` in `day=2026-11-01`, as Hive and Spark write them."""
    parts = (folder.partition("=") for folder in PurePosixPath(name).parts[:-1] if "=" in folder)
    return {column: "" if value == NO_VALUE else unquote(value) for column, _, value in parts}


def latest_days(names: Iterable[str], days: Days, shown: str) -> set[str]:
    """The names of the files of the latest days; `shown` is the table's name.

    Raises `SpecError` for a file that is in no such folder, a folder that names no date, or fewer days than asked for.
    """
    dated = {name: _day(name, days, shown) for name in names}
    found = sorted({*dated.values()})
    if len(found) < days.last:
        raise SpecError(
            f"`days` asks for the last {days.last} of {shown}, which has {len(found)}, from {found[0]} to {found[-1]}. "
            f"Write `last: {len(found)}`, or wait until there are more."
        )
    kept = {*found[-days.last :]}
    return {name for name, day in dated.items() if day in kept}


def _day(name: str, days: Days, shown: str) -> str:
    value = folder_values(name).get(days.column)
    if value is None:
        raise SpecError(
            f"`days` reads folders called {days.column}=2026-11-01, and the file {name} of {shown} is in none. Move it "
            "into one, name the column that its folders have, or leave `days` out."
        )
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError as error:
        raise SpecError(
            f"`days` needs dates, but the file {name} of {shown} has {value!r} as its {days.column}. Call the folder "
            f"{days.column}=2026-11-01, or leave `days` out."
        ) from error


_JSON = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz", ".json", ".json.gz")
SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", *_JSON, ".parquet")
"""The supported formats of files. The first row of CSV and TSV names the columns; JSON has one object per line."""
USUAL = TextFormat()
"""How text is written where the config says nothing about it."""


@dataclass(frozen=True)
class TableFile:
    """A file of a table, or a whole Delta table. `name` is its place in the table, such as
    `day=2026-11-01/part-0.parquet`.

    With a `part`, only these of its bytes, or of its row groups, are meant.
    """

    path: Path
    name: str = ""
    text: TextFormat = USUAL
    part: tuple[int, int] | None = None
    lists: tuple[tuple[str, str], ...] = ()
    """The columns of lists that are several values, with the separator by which they become one text."""
    categories: tuple[str, ...] = ()
    """The columns of categories, which hold no fractions."""
    delta: DeltaVersion | None = None
    """The version of a Delta table."""
    lookups: tuple["Lookup", ...] = ()
    """What its rows get from other rows."""

    @property
    def size(self) -> int:
        """In bytes."""
        return self.path.stat().st_size if self.delta is None else self.delta.size

    @property
    def is_json(self) -> bool:
        """Whether it has a JSON object in each line."""
        return self.has_lines and self.path.name.endswith(_JSON) and not self.text.columns

    @property
    def is_text(self) -> bool:
        """Whether it is CSV or TSV, as all files are whose columns the config names."""
        return self.has_lines and not self.is_json

    @property
    def has_lines(self) -> bool:
        """Whether it is read line by line and not by row groups, as Parquet."""
        return self.delta is None and (self.path.suffix != ".parquet" or bool(self.text.columns))

    @property
    def separator(self) -> str:
        """The character between the fields of a text file."""
        return self.text.separator or _usual_separator(self.path)

    @property
    def csv_options(self) -> dict[str, Any]:
        """How the `csv` module reads it."""
        quoting = csv.QUOTE_MINIMAL if self.text.quote else csv.QUOTE_NONE
        return {"delimiter": self.separator, "quotechar": self.text.quote or None, "quoting": quoting}

    @property
    def folder_values(self) -> dict[str, str]:
        """The columns that its folders name, such as `day` in `day=2026-11-01`."""
        return folder_values(self.name)

    def stored(self, names: Iterable[str]) -> list[str]:
        """Those of the columns `names` that are in the file itself, and those by which others are looked up."""
        given = {name for lookup in self.lookups if not lookup.fills for name in (*lookup.names, PARTNER)}
        needed = dict.fromkeys([*names, *(lookup.key for lookup in self.lookups)])
        return [name for name in needed if name not in {*self.folder_values, *given}]


PARTNER = "_partner"
"""The column that says whether a row has a row in each table that is joined to it."""


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """Columns `names` that a row gets from rows of these `files` with the same `key`: one at most, or, if it `fills`
    empty fields of the table itself, all of them, which have one value.
    """

    files: tuple[TableFile, ...]
    key: str
    names: tuple[str, ...] = ()
    fills: bool = False
    loaded: tuple[KnownKeys, pa.Table] | None = field(default=None, compare=False)
    """The keys and these columns as texts, where another machine reads the rows."""


def files_of(source: Source) -> tuple[TableFile, ...]:
    """The files of a table, with what is looked up for their rows; raises like `_own_files`."""
    found, lookups = _own_files(source), list[Lookup]()
    if fill := source.fill:
        lookups.append(Lookup(files=found, key=fill.by, names=fill.columns, fills=True))
    lookups += [Lookup(files=_own_files(one.source), key=one.key) for one in source.join]
    return tuple(replace(file, lookups=tuple(lookups)) for file in found) if lookups else found


def _own_files(source: Source) -> tuple[TableFile, ...]:
    """The files of a table, in the order of their names; those of one folder after those of the one named before it.

    Raises `EmptyDatasetError` for a folder without files, `SpecError` for one with files of unknown formats or wrong
    days, and a `DeltaTableError` for a Delta table that can't be read.
    """
    text = TextFormat(**source.model_dump(include=set(TextFormat.model_fields)))
    if is_delta(source.paths[0]) and not source.columns:
        path = source.paths[0]
        if source.days:
            raise SpecError(
                f"{path} is a Delta table, and `days` chooses among folders of files. Leave `days` out, or write the "
                f"rows as Parquet files in folders called {source.days.column}=2026-11-01."
            )
        return (TableFile(path, path.name, text, delta=delta_version(path, source.version)),)
    found = []
    for number, path in enumerate(source.paths):
        before = f"{number:05d}/" if len(source.paths) > 1 else ""
        names = source.files or (_names_in(path) if path.is_dir() else [""])
        found += [TableFile(path / name, f"{before}{name or path.name}", text) for name in names]
    if source.days is None:
        return tuple(found)
    kept = latest_days((file.name for file in found), source.days, source.shown)
    return tuple(file for file in found if file.name in kept)


def is_table(path: Path) -> bool:
    """Whether a file, or a folder by one of its files, looks like a table."""
    if path.is_dir():
        return is_delta(path) or (not is_hidden(path.name) and any(name.endswith(SUFFIXES) for name in _visible(path)))
    return path.name.endswith(SUFFIXES) and not is_hidden(path.name)


def _usual_separator(path: Path) -> str:
    return "\t" if ".tsv" in path.suffixes else ","


def suffix(path: Path, separator: str | None) -> str:
    """The suffix of a file's name, which tells its format, or that of text with the config's `separator`."""
    named = (known for known in sorted(SUFFIXES, key=len, reverse=True) if path.name.endswith(known))
    text = ".tsv" if (separator or _usual_separator(path)) == "\t" else ".csv"
    return next(named, f"{text}.gz" if path.suffix == ".gz" else text)


def _names_in(folder: Path) -> list[str]:
    names = sorted(_visible(folder))
    if not names:
        raise EmptyDatasetError(f"The folder {folder} has no file. Put files into it that end in {listed_suffixes()}.")
    if unknown := [name for name in names if not name.endswith(SUFFIXES)]:
        more = f" and {len(unknown) - 1:,} more" if len(unknown) > 1 else ""
        raise SpecError(
            f"The folder {folder} is a table, but the format of {unknown[0]}{more} is unknown. Move such files "
            f"elsewhere: a table has files that end in {listed_suffixes()}."
        )
    return names


def _visible(folder: Path) -> Iterator[str]:
    """The files below `folder`, without those that Spark ignores too: `_SUCCESS`, `.part-0.csv.crc`."""
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not is_hidden(name)]
        inner = Path(place).relative_to(folder)
        yield from ((inner / name).as_posix() for name in files if not is_hidden(name))


def is_hidden(name: str) -> bool:
    """Whether a file or folder is none of the data."""
    return name.startswith((".", "_")) and "=" not in name


def listed_suffixes() -> str:
    """The supported suffixes, in words."""
    return f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"


def is_no_table(file: Path) -> bool:
    """Whether a file, or the name of one that does not exist, has an unknown format."""
    is_file = file.is_file() or (file.suffix != "" and not file.exists())
    return is_file and not file.name.endswith(SUFFIXES)


def load_spec(path: Path) -> TablesSpec:
    """Load the config in a YAML file, with absolute paths, and versions of Delta tables.

    Raises `MissingFileError` if a file does not exist, and `SpecError` with all that is wrong if the config is not
    valid.
    """
    path = path.expanduser().absolute()
    spec = read_spec(path)
    given = {table: tuple(path.parent / one for one in source.paths) for table, source in spec.sources.items()}
    named = [(table, file) for table, files in given.items() for file in files]
    unknown = [str(file) for table, file in named if is_no_table(file) and not spec.sources[table].columns]
    if unknown:
        raise SpecError(
            f"{path}: the format of {', '.join(unknown)} is unknown. Give files that end in {listed_suffixes()}, or "
            "folders of such files."
        )
    missing = [f"the {table} file {file}" for table, file in named if not file.exists()]
    if missing:
        raise MissingFileError(f"{path} names {' and '.join(missing)}, which does not exist. Correct the path.")
    for table, source in spec.sources.items():
        if lacking := sorted({*source.files} - {*(_visible(given[table][0]) if source.files else ())}):
            raise MissingFileError(
                f"The {table} in {given[table][0]} lack {', '.join(lacking[:5])}. Run the data step again."
            )
    found = spec.with_tables(path={table: files if len(files) > 1 else files[0] for table, files in given.items()})
    return found.with_tables(version={table: _version(path, source) for table, source in found.sources.items()})


def _version(config: Path, source: Source) -> int | None:
    """The version of a Delta table that is meant, so that a run reads no newer one."""
    tables = [path for path in source.paths if is_delta(path)]
    if tables and len(source.paths) > 1:
        raise SpecError(
            f"{config} names {source.shown} as one table, but {tables[0]} is a Delta table: name only that one."
        )
    if source.version is not None and not tables:
        raise SpecError(f"{config} names a `version` of {source.shown}, which is not a Delta table. Leave it out.")
    if tables and source.columns:
        raise SpecError(f"{config} names the `columns` of {source.shown}, which is a Delta table. Leave them out.")
    return newest(tables[0]) if tables and source.version is None else source.version
