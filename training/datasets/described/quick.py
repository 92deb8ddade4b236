"""The quick check of a dataset's tables before training, which raises everything that is wrong in one error.

Each table is read whole up to `SAMPLE_CHARACTERS` of text, and its beginning where it is longer: what only all rows can
tell (keys that match nothing, one class, a column without a value) is then left to the check on Spark, which reads all.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from training.datasets.described.cells import Cells, malformed
from training.datasets.described.columns import require_columns
from training.datasets.described.entries import Label
from training.datasets.described.fields import TableRules, is_click, keys_of
from training.datasets.described.files import TableFile
from training.datasets.described.kept import ROWS, counted
from training.datasets.described.problems import (
    KEY_EXAMPLES,
    NO_OTHERS,
    Matches,
    no_match,
    no_row,
    raise_all,
    repeated_key,
)
from training.datasets.described.texts import Chunk, Tables
from training.datasets.described.uses import Uses
from training.datasets.errors import DatasetError, DuplicateKeyError, OneClassError, require_both_classes

SAMPLE_CHARACTERS = 8_000_000
"""How much text of each table is checked: 100,000 rows of four short columns are 2 million characters."""


@dataclass(kw_only=True)
class Look:
    """What was read of a table, by chunk: `keys` as they are joined, and the `places` of rows."""

    rules: TableRules
    uses: Uses
    keys: dict[str, list[pa.StringArray]]
    cells: list[Cells] = field(default_factory=list)
    """The checks of each file."""
    places: list[tuple[TableFile, npt.NDArray[np.int64]]] = field(default_factory=list)
    labels: list[pa.StringArray] = field(default_factory=list)
    whole: bool = True

    def add(self, file: TableFile, chunk: Chunk) -> None:
        """Keep what the joined tables are checked by."""
        self.uses.add(chunk.columns)
        self.places.append((file, chunk.places))
        for name, column in self.rules.keys.items():
            self.keys[name].append(keys_of(chunk.columns[column]))
        if self.rules.label:
            self.labels.append(chunk.columns[self.rules.label.column])

    def key(self, name: str) -> pa.StringArray:
        """The key of each row."""
        return pa.concat_arrays(self.keys[name])

    @property
    def rows(self) -> str:
        """How many rows were checked, in words."""
        return _counted(sum(cells.rows for cells in self.cells), whole=self.whole)

    @property
    def faults(self) -> list[str]:
        """What is wrong, in sentences."""
        last = self.cells[-1] if self.cells else None
        return [
            fault.sentence(_counted(cells.rows, whole=self.whole or cells is not last))
            for cells in self.cells
            for fault in cells.faults
        ]


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What `training.datasets.described.kept` counts; `whole` if all interactions were read. Empty if users or items
    were not read to their end.
    """

    found: Mapping[str, int] = field(default_factory=dict)
    whole: bool = True


def look_at(rules: Mapping[str, TableRules], characters: int = SAMPLE_CHARACTERS) -> Looked:
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
    faults = [sentence for look in looks.values() for sentence in look.faults]
    if faults:
        problems.append(malformed(faults))
    for table, look in looks.items():
        if table != "interactions" and (repeated := _repeated(look)):
            problems.append(repeated)
        if look.whole:
            problems += look.uses.problems
    if not problems and "interactions" in looks and all(look.whole for look in looks.values()):
        problems += _joined(looks)
    raise_all(problems)
    others = [look for table, look in looks.items() if table != "interactions"]
    if "interactions" not in looks or not all(look.whole for look in others):
        return Looked()
    known = {table: one.to_numpy(zero_copy_only=False) for table, one in _known(looks).items()}
    rows = sum(cells.rows for cells in looks["interactions"].cells)
    kept = np.logical_and.reduce([np.ones(rows, np.bool_), *known.values()]).sum()
    return Looked(found=counted(known, rows) + Counter({ROWS: int(kept)}), whole=looks["interactions"].whole)


def _look(rules: TableRules, characters: int) -> Look:
    require_columns(rules.files, rules.columns)
    look = Look(rules=rules, uses=Uses(rules), keys={name: [] for name in rules.keys})
    tables = Tables(rules.files, rules.columns, characters)
    for table in tables:
        cells = Cells(table.file, rules)
        look.cells.append(cells)
        for chunk in table:
            cells.add(chunk)
            look.add(table.file, chunk)
    look.whole = tables.whole
    if look.whole and not any(cells.rows for cells in look.cells):
        raise no_row(rules.shown)
    return look


def _counted(rows: int, *, whole: bool) -> str:
    return f"{rows:,}" if whole else f"the first {rows:,}"


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
    rows = pc.indices_nonzero(pc.equal(keys, first)).to_pylist()
    at = _places(look, rows[:5])
    return repeated_key(look.rules, column, first, f"{len(rows):,} rows ({at})", len(repeated) - 1)


def _places(look: Look, rows: Sequence[int]) -> str:
    """Where these rows of a table are, in words: `lines 2, 4`, or with several files `line 2 of a.csv, ...`."""
    places = [(file, place) for file, own in look.places for place in own.tolist()]
    found = [places[row] for row in rows]
    if len(look.rules.files) == 1:
        unit = "lines" if look.rules.files[0].has_lines else "rows"
        return f"{unit} {', '.join(str(place) for _, place in found)}"
    return ", ".join(f"{'line' if file.has_lines else 'row'} {place} of {file.path}" for file, place in found)


def _key_names(looks: Mapping[str, Look]) -> dict[str, str]:
    """The name of each joined table's key."""
    return {table: next(iter(look.rules.keys)) for table, look in looks.items() if table != "interactions"}


def _known(looks: Mapping[str, Look]) -> dict[str, pa.BooleanArray]:
    """By table which interactions have their row in it."""
    own = looks["interactions"]
    return {table: pc.is_in(own.key(name), looks[table].key(name)) for table, name in _key_names(looks).items()}


def _joined(looks: dict[str, Look]) -> list[DatasetError]:
    interactions, names, found = looks["interactions"], _key_names(looks), _known(looks)
    kept = reduce(pc.and_, found.values()) if found else None
    if kept is not None and not pc.any(kept).as_py():
        matches = {
            table: Matches(
                key=names[table],
                rows=pc.sum(found[table]).as_py() or 0,
                ours=interactions.key(names[table])[:KEY_EXAMPLES].to_pylist(),
                theirs=looks[table].key(names[table])[:KEY_EXAMPLES].to_pylist(),
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
        left = f"{interactions.rules.shown}{' that survive the join' if found else ''}"
        require_both_classes(left, rows=len(labels), clicks=clicks, if_clicks=NO_OTHERS)
    except OneClassError as error:
        return [error]
    return []


def _clicks(labels: pa.StringArray, label: Label) -> int:
    counted = ((one["values"], one["counts"]) for one in pc.value_counts(labels).to_pylist())
    return sum(count for text, count in counted if is_click(text, label))
