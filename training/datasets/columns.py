"""Which table of a described dataset holds which column."""

import csv
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pyarrow as pa
from pyarrow import parquet

from training.datasets.errors import DatasetError, EmptyDatasetError, MissingFileError, SpecError
from training.datasets.spec import TablesSpec


def delimiter(path: Path) -> str:
    """The character between the fields of a text file."""
    return "\t" if ".tsv" in path.suffixes else ","


def is_text(path: Path) -> bool:
    """Whether a table is CSV or TSV and not Parquet."""
    return path.suffix != ".parquet"


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """A CSV or TSV file, plain or gzip, for the `csv` module; a byte order mark is skipped."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as stream:
        yield stream


def header(path: Path) -> list[str]:
    """The names of a table's columns; raises the `DatasetError` that fits for a file that has none."""
    if is_text(path):
        try:
            with open_text(path) as stream:
                names = next(csv.reader(stream, delimiter=delimiter(path)), [])
        except (EOFError, gzip.BadGzipFile) as error:
            raise DatasetError(f"The file {path} is truncated or not gzip: {error}. Copy it again.") from error
    else:
        try:
            names = parquet.read_schema(path).names
        except (OSError, pa.ArrowException) as error:
            raise DatasetError(f"{path} is not a Parquet file that can be read: {error}. Write it again.") from error
    if not names:
        raise EmptyDatasetError(f"The file {path} is empty. Its first row must name the columns.")
    # Spark does not tell upper from lower case in a column's name.
    folded = [name.lower() for name in names]
    if repeated := sorted({name for name in names if folded.count(name.lower()) > 1}):
        raise SpecError(f"{path} has several columns of the same name: {', '.join(repeated)}. Rename all but one.")
    return names


def locate(spec: TablesSpec) -> dict[str, dict[str, list[str]]]:
    """For each table, the columns to use by role: `numeric` and `categorical`.

    Raises `MissingFileError` when the tables lack a column, and `SpecError` when two tables have it; keys may be in
    all of them.
    """
    headers = {table: header(path) for table, path in spec.tables.items()}
    _require_keys(spec, headers)
    keys = {"users": spec.users.key, "items": spec.items.key}
    located: dict[str, dict[str, list[str]]] = {table: {"numeric": [], "categorical": []} for table in headers}
    problems = []
    for role, names in (("numeric", spec.numeric_names), ("categorical", spec.categorical_names)):
        for name in names:
            # The interactions' own key is the same value as the other table's, so it is taken from there.
            owners = [table for table, columns in headers.items() if name in columns and keys.get(table) != name]
            if len(owners) == 1:
                located[owners[0]][role].append(name)
            elif owners:
                problems.append(f"{name} is in both {' and '.join(owners)}: rename one of them")
            else:
                problems.append(f"{name} is in none of {', '.join(str(path) for path in spec.tables.values())}")
    if problems:
        raise SpecError(f"The columns do not fit the tables: {'; '.join(problems)}.")
    return located


def _require_keys(spec: TablesSpec, headers: dict[str, list[str]]) -> None:
    needed = [
        ("interactions", spec.label.column),
        ("interactions", spec.users.foreign_key),
        ("interactions", spec.items.foreign_key),
        ("users", spec.users.key),
        ("items", spec.items.key),
    ]
    if spec.timestamp:
        needed.append(("interactions", spec.timestamp))
    missing = [(table, name) for table, name in needed if name not in headers[table]]
    if missing:
        listed = "; ".join(
            f"{spec.tables[table]} has no column {name!r}, only {', '.join(headers[table])}" for table, name in missing
        )
        raise MissingFileError(f"The tables lack columns that the description names: {listed}.")
