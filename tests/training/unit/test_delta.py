"""Delta tables: read as the protocol says, at one version, with a sentence for what can't be read."""

import json
import re
import string
import struct
from base64 import b85encode
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from deltalake import DeltaTable, write_deltalake
from pyarrow import parquet

from training import datasets
from training.datasets.manifest import recorded
from training.errors import SpecError
from training.init_data.guess import guess
from training.parameters import TablesDataset
from training.tables.delta import DeltaRows, DeltaTableError

DELETED = (3, 4, 7, 11, 18, 29)


def deletion_vector() -> dict[str, object]:
    """The rows `DELETED`, written inline as Delta's PROTOCOL.md ("Deletion Vector Format") and Roaring's
    RoaringFormatSpec say: one bitmap with one array container, as Z85, whose digits differ from those of Base85.
    """
    places = struct.pack(f"<{len(DELETED)}H", *DELETED)
    container = struct.pack("<IIHHI", 12346, 1, 0, len(DELETED) - 1, 16)
    content = struct.pack("<IQI", 1681511377, 1, 0) + container + places
    base85 = string.digits + string.ascii_uppercase + string.ascii_lowercase + "!#$%&()*+-;<=>?@^_`{|}~"
    z85 = string.digits + string.ascii_lowercase + string.ascii_uppercase + ".-:+=^!/*?&<>()[]{}@%$#"
    text = b85encode(content).decode().translate(str.maketrans(base85, z85))
    return {
        "storageType": "i",
        "pathOrInlineDv": text,
        "sizeInBytes": len(content),
        "cardinality": len(DELETED),
    }


def rows(start: int, count: int = 100) -> pa.Table:
    numbers = range(start, start + count)
    return pa.table(
        {
            "user": [f"u{number % 10}" for number in numbers],
            "price": [float(number) for number in numbers],
            "clicked": [number % 2 for number in numbers],
        }
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A Delta table with versions 0 and 1."""
    for start in (0, 100):
        write_deltalake(tmp_path / "clicks", rows(start), mode="append")
    return tmp_path / "clicks"


def dataset(folder: Path, **source: object) -> TablesDataset:
    content = {
        "interactions": {"path": "clicks", **source},
        "label": {"column": "clicked"},
        "numeric": ["price"],
        "categorical": ["user"],
    }
    (folder / "dataset.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return TablesDataset(kind="tables", spec=folder / "dataset.yaml")


def commit(table: Path, number: int, *actions: dict[str, object]) -> None:
    log = table / "_delta_log"
    log.mkdir(parents=True, exist_ok=True)
    (log / f"{number:020}.json").write_text("".join(f"{json.dumps(action)}\n" for action in actions), encoding="utf-8")


def protocol(*features: str) -> dict[str, object]:
    return {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features}


def mapped(name: str, kind: str, number: int) -> dict[str, object]:
    marks = {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": f"col-{number}"}
    return {"name": name, "type": kind, "nullable": True, "metadata": marks}


def test_deletion_vectors_and_column_mapping_are_read(tmp_path: Path) -> None:
    parquet.write_table(
        pa.table({"col-1": range(30), "col-2": [str(one) for one in range(30)]}), tmp_path / "a.parquet"
    )
    fields = [mapped("a price", "long", 1), mapped("user", "string", 2)]
    added = {"path": "a.parquet", "partitionValues": {}, "modificationTime": 0, "dataChange": True}
    commit(
        tmp_path,
        0,
        {"protocol": protocol("deletionVectors", "columnMapping")},
        {
            "metaData": {
                "id": "b2ef1d3d-6d1c-4b54-a3f0-0f4e30a4e1c5",
                "format": {"provider": "parquet", "options": {}},
                "schemaString": json.dumps({"type": "struct", "fields": fields}),
                "partitionColumns": [],
                "configuration": {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "2"},
            }
        },
        {"add": added | {"size": (tmp_path / "a.parquet").stat().st_size, "deletionVector": deletion_vector()}},
    )
    read = pa.Table.from_batches(DeltaRows(tmp_path, 0).iter_batches(7))
    assert read.to_pydict() == {
        "a price": [number for number in range(30) if number not in DELETED],
        "user": [str(number) for number in range(30) if number not in DELETED],
    }


@pytest.mark.parametrize(
    "path", ["../own.parquet", "%2E%2E/own.parquet", "{folder}/own.parquet", "file://{folder}/own.parquet"]
)
def test_a_log_reads_no_file_outside_the_table(table: Path, path: str) -> None:
    """The protocol allows absolute paths in a log, which may also come from somebody else."""
    own = table.parent / "own.parquet"
    parquet.write_table(rows(0), own)
    named = path.format(folder=table.parent)
    added = {"path": named, "partitionValues": {}, "modificationTime": 0, "dataChange": True}
    commit(table, 2, {"add": added | {"size": own.stat().st_size}})
    with pytest.raises(DeltaTableError, match=re.escape(named)):
        datasets.describe(dataset(table.parent))


def test_a_new_version_changes_the_identity_and_the_planned_one_is_copied(table: Path) -> None:
    clicks = dataset(table.parent)
    planned = datasets.describe(clicks)
    assert datasets.describe(clicks) == planned
    assert planned.versions == {"interactions": 1}
    assert str(DeltaTable(table).metadata().id) in planned.partitions[0].identity
    write_deltalake(table, rows(200), mode="append")
    assert datasets.describe(clicks).hash != planned.hash
    datasets.materialize(clicks, table.parent / "lake", versions=planned.versions)
    assert parquet.read_table(table.parent / "lake" / "interactions").num_rows == 200
    assert recorded(table.parent / "lake") == planned
    assert "version 1" in planned.description


def test_a_version_can_be_named(table: Path) -> None:
    assert datasets.describe(dataset(table.parent, version=0)).versions == {"interactions": 0}
    with pytest.raises(DeltaTableError, match=rf"no version 7 of the Delta table {table}, whose newest is 1"):
        datasets.describe(dataset(table.parent, version=7))


def test_a_version_needs_a_delta_table(tmp_path: Path) -> None:
    parquet.write_table(rows(0), tmp_path / "clicks.parquet")
    with pytest.raises(SpecError, match=r"`version` of .*clicks\.parquet, which is not a Delta table"):
        datasets.describe(dataset(tmp_path, path="clicks.parquet", version=1))


def test_a_delta_table_is_no_part_of_another_table(table: Path) -> None:
    parquet.write_table(rows(0), table.parent / "more.parquet")
    with pytest.raises(SpecError, match="is a Delta table: name only that one"):
        datasets.describe(dataset(table.parent, path=["clicks", "more.parquet"]))


def test_a_newer_protocol_is_named(table: Path) -> None:
    commit(table, 2, {"protocol": protocol("spaceTravel")})
    with pytest.raises(DeltaTableError, match=rf"version 2 of the Delta table {table} needs a newer.*spaceTravel"):
        datasets.describe(dataset(table.parent))


def test_a_vacuumed_version_is_named(table: Path) -> None:
    clicks = dataset(table.parent)
    planned = datasets.describe(clicks)
    write_deltalake(table, rows(200), mode="overwrite")
    newest = DeltaTable(table)
    assert newest.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    with pytest.raises(DeltaTableError, match=rf"A file of version 1 of the Delta table {table} is deleted"):
        datasets.materialize(clicks, table.parent / "lake", versions=planned.versions)
    assert not (table.parent / "lake").exists()


def test_init_data_proposes_a_delta_table(table: Path) -> None:
    guessed = guess(table.parent, {})
    assert guessed.roles.interactions.path == table
    assert guessed.label.column == "clicked"
