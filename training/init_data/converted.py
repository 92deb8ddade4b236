"""Workbooks and SQLite databases as Parquet tables, which training reads."""

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet
from python_calamine import CalamineError, CalamineWorkbook

from features.files import written_aside
from training.errors import GuessError
from training.tables.files import is_hidden
from training.tables.texts import text_of

WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
DATABASES = (".db", ".sqlite", ".sqlite3")
_SOURCE = b"converted_from"
"""The key of the size and time of what a table was made from, in its metadata."""
Rows = Sequence[Sequence[Any]]


def converted(folder: Path, into: Path) -> list[Path]:
    """The tables of all workbooks and databases in a folder, as files in the folder `into`; raises like `convert`."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in (*WORKBOOKS, *DATABASES))
    return [table for path in found if not is_hidden(path.name) for table in convert(path, into)]


def convert(path: Path, into: Path) -> list[Path]:
    """The tables of a workbook or database as files in the folder `into`, written anew if it has changed since.

    A sheet is a table if its first row names all columns and there is another row. Raises `GuessError` if the file
    can't be read, or has no such table.
    """
    status = path.stat()
    version = f"{path.name} {status.st_size} {status.st_mtime_ns}".encode()
    known = sorted(into.glob(f"{path.stem}*.parquet"))
    current = [one for one in known if (parquet.read_schema(one).metadata or {}).get(_SOURCE) == version]
    if current:
        return current
    read: Callable[[Path], Iterator[tuple[str, Rows]]] = _of_database
    if path.suffix.lower() in WORKBOOKS:
        read = _of_workbook
    try:
        tables = {name: rows for name, rows in read(path) if _is_table(rows)}
    except (CalamineError, sqlite3.Error, OSError) as error:
        raise GuessError(
            f"{path} cannot be read: {error}. Save it without a password, or its tables as CSV files."
        ) from error
    if not tables:
        raise GuessError(f"{path} has no table: its first row must name the columns, and other rows must follow it.")
    into.mkdir(parents=True, exist_ok=True)
    made = []
    for name, (header, *rows) in tables.items():
        more = "" if len(tables) == 1 else f"-{re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-')}"
        columns = [_column([row[place] for row in rows]) for place in range(len(header))]
        table = pa.table(columns, names=[str(one) for one in header]).replace_schema_metadata({_SOURCE: version})
        made.append(into / f"{path.stem}{more}.parquet")
        with written_aside(made[-1]) as aside:
            parquet.write_table(table, aside)
    return made


def _is_table(rows: Rows) -> bool:
    return len(rows) > 1 and all(isinstance(name, str) and name.strip() for name in rows[0])


def _of_workbook(path: Path) -> Iterator[tuple[str, Rows]]:
    workbook = CalamineWorkbook.from_path(path)
    for name in workbook.sheet_names:
        yield name, workbook.get_sheet_by_name(name).to_python()


def _of_database(path: Path) -> Iterator[tuple[str, Rows]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        named = (
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name"
        )
        for (name,) in database.execute(named).fetchall():
            quoted = name.replace('"', '""')
            found = database.execute(f'SELECT * FROM "{quoted}"')  # noqa: S608 - a name of the database itself
            yield name, [[one[0] for one in found.description], *found]


def _column(values: Sequence[Any]) -> pa.Array:
    """The values as whole numbers, numbers or times if all are, else as texts; an empty field is missing."""
    present = [value for value in values if value not in (None, "")]
    given = [None if value in (None, "") else value for value in values]
    if present and all(isinstance(value, int | float) and not isinstance(value, bool) for value in present):
        is_whole = all(float(value).is_integer() for value in present)
        return pa.array([value if value is None else int(value) if is_whole else float(value) for value in given])
    if present and all(isinstance(value, date) for value in present):
        return pa.array(given, pa.timestamp("us"))
    return pa.array([None if value is None else text_of(value) for value in given], pa.string())
