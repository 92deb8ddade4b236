"""Delta tables, read at one version by the library `deltalake`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa

from features.files import is_inside
from training.errors import DatasetError

LOG = "_delta_log"
"""The folder that makes another one a Delta table."""
_COMMIT = f"{'[0-9]' * 20}.json"
_BATCH_ROWS = 20_000
_GROUP_ROWS = 100_000
_FILE_GROUPS = 100
"""How copies are written: processes share the row groups of a file."""
_NO_SUCH_VERSION = ("LogSegment", "No table metadata or protocol", "No files in log segment")
"""What the library says of a version that never was, or whose log was cleaned up."""


class DeltaTableError(DatasetError):
    """A Delta table that can't be read."""


@dataclass(frozen=True)
class DeltaVersion:
    """A version of a Delta table: its `number`, the table's ID, and the size of its files in bytes."""

    number: int
    table_id: str
    size: int

    def __str__(self) -> str:
        """What identifies the rows."""
        return f"version {self.number} of {self.table_id}"


def is_delta(path: Path) -> bool:
    """Whether a folder is a Delta table."""
    return (path / LOG).is_dir()


def newest(path: Path) -> int:
    """The newest version of a Delta table; raises `DeltaTableError` if it has none."""
    found = [int(file.stem) for file in (path / LOG).glob(_COMMIT)]
    if not found:
        raise DeltaTableError(f"The Delta table {path} has no version: there is no commit in {LOG}. Copy it again.")
    return max(found)


def write_copy(path: Path, version: DeltaVersion, folder: Path) -> None:
    """Write a version's rows to Parquet files in `folder`; raises a `DeltaTableError` if they can't be read."""
    # Imports pandas, which takes a second.
    from pyarrow import dataset  # noqa: PLC0415 - see above

    rows = DeltaRows(path, version.number)
    dataset.write_dataset(
        pa.RecordBatchReader.from_batches(rows.schema_arrow, rows.iter_batches(_BATCH_ROWS)),
        folder,
        format="parquet",
        use_threads=False,  # which keeps the rows' order
        min_rows_per_group=_GROUP_ROWS,
        max_rows_per_group=_GROUP_ROWS,
        max_rows_per_file=_FILE_GROUPS * _GROUP_ROWS,
    )


def delta_version(path: Path, number: int | None) -> DeltaVersion:
    """This version of a Delta table, the newest for None; raises a `DeltaTableError` if it can't be read."""
    return DeltaRows(path, newest(path) if number is None else number).version


class DeltaRows:
    """The rows of a version, with the part of `pyarrow.parquet.ParquetFile` that reading a table needs.

    They come in the same order each time.
    """

    def __init__(self, path: Path, number: int) -> None:
        """Read the table's log; raises a `DeltaTableError` if it can't be read."""
        # An extra: what runs on Databricks reads copies, which are Parquet files.
        from deltalake import DeltaTable  # noqa: PLC0415 - see above

        self._path = path
        self._number = number
        with self._readable():
            self._table = DeltaTable(path, version=number)
            self.schema_arrow = pa.schema(self._table.schema().to_arrow()).remove_metadata()
            files = pa.table(self._table.get_add_actions())
            self.version = DeltaVersion(
                number, str(self._table.metadata().id), sum(files.column("size_bytes").to_pylist())
            )
        if outside := [name for name in files.column("path").to_pylist() if not is_inside(unquote(name))]:
            raise DeltaTableError(
                f"Version {number} of the Delta table {path} names the file {outside[0]}, which isn't in the table's "
                "folder. Copy the whole table: a shallow clone reads files of another one."
            )

    def iter_batches(
        self,
        batch_size: int,
        row_groups: Sequence[int] | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """The rows in batches, with all columns or some; raises a `DeltaTableError` if they can't be read.

        A table has no row groups: all rows are read whichever are named, and by one thread.
        """
        del row_groups
        from deltalake import QueryBuilder  # noqa: PLC0415 - see `__init__`

        names = self.schema_arrow.names if columns is None else columns
        types = pa.schema([self.schema_arrow.field(name) for name in names])
        listed = ", ".join('"{}"'.format(name.replace('"', '""')) for name in names)
        # With several partitions the order of the rows changes from run to run, and with it the model.
        options = {"datafusion.execution.target_partitions": "1", "datafusion.execution.batch_size": str(batch_size)}
        with self._readable():
            query = QueryBuilder(options)
            query.register("rows", self._table)
            for batch in pa.RecordBatchReader.from_stream(query.execute(f"SELECT {listed} FROM rows")):  # noqa: S608 - quoted
                yield from pa.Table.from_batches([batch]).cast(types).to_batches()

    @contextmanager
    def _readable(self) -> Iterator[None]:
        from deltalake.exceptions import DeltaError  # noqa: PLC0415 - see `__init__`

        what = f"version {self._number} of the Delta table {self._path}"
        try:
            yield
        except (DeltaError, pa.ArrowException, OSError) as error:
            reason = str(error).splitlines()[0]
            if "Unsupported" in reason:
                raise DeltaTableError(
                    f"Reading {what} needs a newer `deltalake` ({reason}). Update it in pyproject.toml, or write the "
                    "table without this feature."
                ) from error
            if any(sign in reason for sign in _NO_SUCH_VERSION):
                raise DeltaTableError(
                    f"There is no {what}, whose newest is {newest(self._path)}; the log of old ones may have been "
                    "cleaned up. Run the command again, or correct `version` in the dataset config."
                ) from error
            if "not found" in reason:
                raise DeltaTableError(
                    f"A file of {what} is deleted, as VACUUM does ({reason}). Run the command again to read the newest "
                    "version, and let VACUUM keep files for longer than a run takes."
                ) from error
            raise DeltaTableError(
                f"Reading {what} fails: {reason}. Repair the table, or name an older `version`."
            ) from error
