"""The stacks whose whole life is tested: together they cover every kind of dataset, file and split.

A path is a stack's life: an `up` that is refused, the first `up`, then the other commands, new data, and a rollback.
`test_local_stack.py` tests the synthetic path, `test_paths.py` the others, which are `full`, since the lives are alike.
How the files are read is tested in `tests/training`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Data:
    """A dataset's source, the format of its files, and how its rows are split."""

    source: str
    files: str
    timestamp: bool = False
    split: str = "random"


@dataclass(frozen=True)
class StackPath:
    """One stack: `first` is deployed, `refused` is not, and `second` is new data for the champion."""

    name: str
    first: Data
    second: Data
    refused: Data


SYNTHETIC = StackPath(
    "synthetic",
    first=Data("synthetic", "generated"),
    second=Data("synthetic", "generated"),
    refused=Data("synthetic", "generated", split="time"),
)
README = StackPath(
    "the README's tables",
    first=Data("tables", "csv", timestamp=True),
    second=Data("tables", "csv", timestamp=True, split="time"),
    refused=Data("tables", "csv", split="time"),
)
OTHERS = (
    StackPath(
        "a Criteo file, then a compressed one",
        first=Data("criteo", "tsv"),
        second=Data("criteo", "gzip"),
        refused=Data("criteo", "tsv", split="time"),
    ),
    StackPath(
        "a folder of days, then one more day",
        first=Data("criteo", "folder"),
        second=Data("criteo", "folder"),
        refused=Data("criteo", "folder", split="time"),
    ),
    StackPath(
        "compressed tables, then TSV",
        first=Data("tables", "gzip", timestamp=True, split="time"),
        second=Data("tables", "tsv", timestamp=True),
        refused=Data("tables", "gzip", split="time"),
    ),
    StackPath(
        "Parquet tables, then without a timestamp",
        first=Data("tables", "parquet", timestamp=True, split="time"),
        second=Data("tables", "parquet"),
        refused=Data("tables", "parquet", split="time"),
    ),
)
