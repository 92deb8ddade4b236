"""The errors that both checks of a dataset's tables raise."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.datasets.described.fields import TableRules
from training.datasets.errors import DatasetError, DuplicateKeyError, EmptyDatasetError, JoinError, SeveralProblemsError

NO_OTHERS = ", or write `label: positives` if there are no others"
"""The way out for tables whose rows are all positive."""
KEY_EXAMPLES = 3
"""How many keys of each side are shown if none match."""


@dataclass(frozen=True, kw_only=True)
class Matches:
    """How many interactions have a row in another table by the joined key `key`, with example keys of both sides."""

    key: str
    rows: int
    ours: Sequence[str]
    theirs: Sequence[str]


def raise_all(problems: Sequence[DatasetError]) -> None:
    """Raise the error in `problems`, or one that lists them all; nothing if there are none."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        listed = "\n".join(f"{number}. {error}" for number, error in enumerate(problems, start=1))
        raise SeveralProblemsError(f"The tables cannot be used, for {len(problems)} reasons:\n{listed}")


def no_row(shown: str) -> EmptyDatasetError:
    """The error for a table without rows."""
    return EmptyDatasetError(f"{shown} names its columns but has no row. Give a file with rows in it.")


def repeated_key(rules: TableRules, column: str, key: str, rows: str, others: int) -> DuplicateKeyError:
    """The error for a key with several rows; `others` is the number of further such keys."""
    more = f", and {others:,} more keys are repeated" if others else ""
    return DuplicateKeyError(f"{rules.shown} has {rows} with the {column} {key!r}{more}. Keep one row for each key.")


def no_match(total: str, rules: dict[str, TableRules], matches: dict[str, Matches]) -> JoinError:
    """The error if no interaction has both a user and an item; `matches` has the matches by table."""
    parts = [
        f"{found.rows:,} have a row in {rules[table].shown} (keys look like {_listed(found.ours)} in the interactions' "
        f"{rules['interactions'].keys[found.key]} and {_listed(found.theirs)} in the {table}' "
        f"{rules[table].keys[found.key]})"
        for table, found in matches.items()
    ]
    return JoinError(
        f"0 of {total} rows of {rules['interactions'].shown} survive the join: {' and '.join(parts)}. "
        "Make the keys the same in both tables: 12 and 12.0 are one key, 012 and u12 are others."
    )


def _listed(keys: Sequence[str]) -> str:
    return ", ".join(map(repr, keys))
