"""The whole paths that are walked through `up`: which datasets, splits and operations, so that every pair of values
comes together on one of them.

A path is a stack's life: its first `up`, then the other operations, then new data for the champion, and a rollback.
The synthetic path is `test_local_stack.py`'s, the others are `test_paths.py`'s.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations, product

SPLITS = ("random", "time")


class Operation(StrEnum):
    """What a user does with a stack. An `up` that must be refused ends before anything is made."""

    FIRST_UP = "first up"
    SECOND_UP = "second up"
    PREDICT = "predict"
    RANK = "rank"
    EXPLAIN = "explain"
    NEW_DATA = "new data"
    ROLLBACK = "rollback"


WITH_THE_FIRST = (
    Operation.FIRST_UP,
    Operation.SECOND_UP,
    Operation.PREDICT,
    Operation.RANK,
    Operation.EXPLAIN,
)
WITH_THE_SECOND = (Operation.NEW_DATA, Operation.ROLLBACK)


@dataclass(frozen=True)
class Data:
    """A dataset in its files, and how its rows are split."""

    source: str
    files: str
    timestamp: bool = False
    split: str = "random"

    @property
    def refused(self) -> bool:
        """Whether `up` must refuse it: there is no time to split by."""
        return self.split == "time" and not self.timestamp


@dataclass(frozen=True)
class StackPath:
    """One stack: `first` comes up, `refused` does not, and `second` is new data for the champion."""

    name: str
    first: Data
    second: Data
    refused: Data

    @property
    def legs(self) -> Iterator[tuple[Data, Operation | None]]:
        """Each dataset with each operation that it goes through; None is an `up` that is refused."""
        yield from product((self.first,), WITH_THE_FIRST)
        yield from product((self.second,), WITH_THE_SECOND)
        yield self.refused, None


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
PATHS = (SYNTHETIC, README, *OTHERS)

Pair = frozenset[tuple[str, object]]


def covered() -> set[Pair]:
    """The pairs of values that come together on some path."""
    pairs: set[Pair] = set()
    for data, operation in (leg for path in PATHS for leg in path.legs):
        values: dict[str, object] = {
            "source": data.source,
            "files": data.files,
            "timestamp": data.timestamp,
            "split": data.split,
            **({"operation": operation} if operation else {}),
        }
        pairs |= {frozenset(pair) for pair in combinations(values.items(), 2)}
    return pairs


def wanted() -> set[Pair]:
    """The pairs of values that there can be: only tables have a timestamp, and each source has files of its own."""
    files = {
        "synthetic": ("generated",),
        "criteo": ("tsv", "gzip", "folder"),
        "tables": ("csv", "tsv", "gzip", "parquet"),
    }
    values: dict[str, Iterable[object]] = {
        "source": files,
        "files": {name for names in files.values() for name in names},
        "timestamp": (True, False),
        "split": SPLITS,
        "operation": Operation,
    }
    groups = [[(name, value) for value in group] for name, group in values.items()]
    every: set[Pair] = {frozenset(pair) for one, other in combinations(groups, 2) for pair in product(one, other)}
    impossible: set[Pair] = {
        *(
            frozenset({("source", source), ("files", name)})
            for source, names in files.items()
            for name in values["files"]
            if name not in names
        ),
        *(frozenset({("source", source), ("timestamp", True)}) for source in ("synthetic", "criteo")),
        *(frozenset({("files", name), ("timestamp", True)}) for name in ("generated", "folder")),
    }
    return every - impossible
