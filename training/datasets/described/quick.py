"""The quick check of a dataset's tables before training, which raises everything that is wrong in one error.

Each file is read whole up to `SAMPLE_CHARACTERS` of text, and its beginning where it is longer: what only all rows can
tell (keys that match nothing, one class, a column without a value) is then left to the check on Spark, which reads all.
"""

from dataclasses import dataclass, field
from functools import reduce

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from training.datasets.described.cells import Cells, malformed
from training.datasets.described.entries import Label
from training.datasets.described.fields import TableRules, is_click, keys_of
from training.datasets.described.problems import (
    KEY_EXAMPLES,
    NO_OTHERS,
    Matches,
    no_match,
    no_row,
    raise_all,
    repeated_key,
)
from training.datasets.described.texts import Table, is_text
from training.datasets.described.uses import Uses
from training.datasets.errors import DatasetError, DuplicateKeyError, OneClassError, require_both_classes

SAMPLE_CHARACTERS = 8_000_000
"""How much text of each file is checked: 100,000 rows of four short columns are 2 million characters."""


@dataclass(kw_only=True)
class Look:
    """What was read of a table, by chunk: `keys` as they are joined, and the `places` of rows."""

    rules: TableRules
    cells: Cells
    uses: Uses
    keys: dict[str, list[pa.StringArray]]
    places: list[npt.NDArray[np.int64]] = field(default_factory=list)
    labels: list[pa.StringArray] = field(default_factory=list)
    whole: bool = True

    def key(self, name: str) -> pa.StringArray:
        """The key of each row."""
        return pa.concat_arrays(self.keys[name])

    @property
    def rows(self) -> str:
        """How many rows were checked, in words."""
        return f"{self.cells.rows:,}" if self.whole else f"the first {self.cells.rows:,}"


def look_at(rules: dict[str, TableRules], characters: int = SAMPLE_CHARACTERS) -> None:
    """Read the beginning of each table and raise one `DatasetError` with all that is wrong; its class is the cause's
    own where there is only one.
    """
    looks: dict[str, Look] = {}
    problems: list[DatasetError] = []
    for table, rule in rules.items():
        try:
            looks[table] = _look(rule, characters)
        except DatasetError as error:
            problems.append(error)
    faults = [fault.sentence(look.rows) for look in looks.values() for fault in look.cells.faults]
    if faults:
        problems.append(malformed(faults))
    for table, look in looks.items():
        if table != "interactions" and (repeated := _repeated(look)):
            problems.append(repeated)
        if look.whole:
            problems += look.uses.problems
    if not problems and all(look.whole for look in looks.values()):
        problems += _joined(looks)
    raise_all(problems)


def _look(rules: TableRules, characters: int) -> Look:
    table = Table(rules.path, rules.columns, characters)
    look = Look(rules=rules, cells=Cells(rules), uses=Uses(rules), keys={name: [] for name in rules.keys})
    for chunk in table:
        look.cells.add(chunk)
        look.uses.add(chunk.columns)
        look.places.append(chunk.places)
        for name, column in rules.keys.items():
            look.keys[name].append(keys_of(chunk.columns[column]))
        if rules.label:
            look.labels.append(chunk.columns[rules.label.column])
    look.whole = table.whole
    if not look.cells.rows:
        raise no_row(rules.path)
    return look


def _repeated(look: Look) -> DuplicateKeyError | None:
    ((name, column),) = look.rules.keys.items()
    keys = look.key(name)
    if len(pc.unique(keys)) == len(keys):
        return None
    counts = pc.value_counts(keys)
    repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    repeated = repeated.filter(pc.not_equal(repeated, ""))
    if not len(repeated):
        return None
    first = repeated[0].as_py()
    where = np.concatenate(look.places)[pc.indices_nonzero(pc.equal(keys, first)).to_pylist()].tolist()
    unit = "lines" if is_text(look.rules.path) else "rows"
    at = f"{unit} {', '.join(map(str, where[:5]))}"
    return repeated_key(look.rules, column, first, f"{len(where):,} rows ({at})", len(repeated) - 1)


def _joined(looks: dict[str, Look]) -> list[DatasetError]:
    interactions = looks["interactions"]
    names = {table: next(iter(look.rules.keys)) for table, look in looks.items() if table != "interactions"}
    own = {table: interactions.key(name) for table, name in names.items()}
    theirs = {table: looks[table].key(name) for table, name in names.items()}
    found = {table: pc.is_in(own[table], theirs[table]) for table in names}
    kept = reduce(pc.and_, found.values()) if found else None
    if kept is not None and not kept.true_count:
        matches = {
            table: Matches(
                key=names[table],
                rows=found[table].true_count,
                ours=own[table][:KEY_EXAMPLES].to_pylist(),
                theirs=theirs[table][:KEY_EXAMPLES].to_pylist(),
            )
            for table in names
        }
        return [no_match(interactions.rows, {table: look.rules for table, look in looks.items()}, matches)]
    if interactions.rules.label is None:
        return []
    labels = pa.concat_arrays(interactions.labels)
    if kept is not None:
        labels = labels.filter(kept)
    clicks = _clicks(labels, interactions.rules.label)
    try:
        left = f"{interactions.rules.path}{' that survive the join' if found else ''}"
        require_both_classes(left, rows=len(labels), clicks=clicks, if_clicks=NO_OTHERS)
    except OneClassError as error:
        return [error]
    return []


def _clicks(labels: pa.StringArray, label: Label) -> int:
    counted = ((one["values"], one["counts"]) for one in pc.value_counts(labels).to_pylist())
    return sum(count for text, count in counted if is_click(text, label))
