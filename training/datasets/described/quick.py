"""The quick check of a dataset's tables before training, which raises everything that is wrong in one error.

Each table is read whole up to `SAMPLE_CHARACTERS` of text, and its beginning where it is longer: what only all rows can
tell (keys that match nothing, one class, a column without a value) is then left to the reading of all rows, which looks
here for what is wrong.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from training.datasets.described.columns import require_columns
from training.datasets.described.fields import Check, TableRules, are_missing, checks, is_click, keys_of
from training.datasets.described.files import TableFile
from training.datasets.described.spec import Label, TablesSpec
from training.datasets.described.texts import Chunk, Tables
from training.datasets.errors import (
    ColumnError,
    DatasetError,
    DuplicateKeyError,
    EmptyDatasetError,
    JoinError,
    MalformedRowError,
    OneClassError,
    SeveralProblemsError,
    require_both_classes,
)

READ, ROWS = "read", "rows"


def counted(known: Mapping[str, npt.NDArray[np.bool_]], rows: int) -> Counter[str]:
    """Of so many interactions, those that are `READ` and those whose row is missing in each table: `known`, bool[n],
    says by table which have one.
    """
    return Counter({READ: rows} | {unknown(table): int((~own).sum()) for table, own in known.items()})


def kept(found: Mapping[str, int], spec: TablesSpec) -> str:
    """How many rows were read and kept, and why the others were dropped, in a sentence; "" where all are kept as they
    are, since no table is joined.
    """
    if not spec.one_row_per:
        return joined(found, spec)
    events, known = f"{found[READ]:,} events make {found[ROWS]:,} rows", _known_tables(spec)
    return f"{events} with a known {known}{dropped(found)}" if known else events


def joined(found: Mapping[str, int], spec: TablesSpec, first: str = "") -> str:
    """The same of interactions or events, before these make rows; `first` is "the first " if others were not read."""
    known = _known_tables(spec)
    text = f"{found[ROWS]:,} of {first}{found[READ]:,} interactions have a known {known}{dropped(found)}"
    return text if known else ""


def dropped(found: Mapping[str, int]) -> str:
    """The end of a sentence with the reasons; "" if nothing was dropped."""
    reasons = [
        f"{count:,} whose {table.removesuffix('s')} is not in the table of {table}"
        for table in ("users", "items")
        if (count := found.get(unknown(table), 0))
    ]
    return f"; dropped: {', '.join(reasons)}" if reasons else ""


def _known_tables(spec: TablesSpec) -> str:
    return " and ".join(table.removesuffix("s") for table in spec.joined)


def unknown(table: str) -> str:
    """The name of the count of interactions without a row in a table."""
    return f"unknown {table}"


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


EXAMPLES = 5
"""How many wrong fields of a column are shown."""
_SHOWN_CHARACTERS = 60
_MISSING_WORDS = 3


@dataclass(kw_only=True)
class Fault:
    """A column's wrong fields in a file, or without a `check` its malformed rows, with the places of the first."""

    file: TableFile
    check: Check | None = None
    count: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)
    values: set[str] = field(default_factory=set)

    def add(self, places: Iterable[tuple[int, str]]) -> None:
        """Count more, in the file's order."""
        for place, text in places:
            self.count += 1
            if len(self.examples) < EXAMPLES:
                self.examples.append((place, text))
            if len(self.values) <= _MISSING_WORDS:
                self.values.add(text)

    def sentence(self, rows: str) -> str:
        """A sentence with what is wrong and where, of so many checked `rows`: `943`, or `the first 5,000`."""
        verb = "is" if self.count == 1 else "are"
        if self.check is None:
            shown = ", ".join(f"line {place} has {text}" for place, text in self.examples)
            fault = "no JSON object" if self.file.is_json else "not split as the header is"
            rest = f"rows {verb} {fault}: {shown}{self._more()}"
            return f"{self.file.path}: {self.count:,} of {rows} {rest}"
        unit = "line" if self.file.has_lines else "row"
        shown = ", ".join(f"{unit} {place} {_short(text)!r}" for place, text in self.examples)
        text = (
            f"{self.file.path}, {self.check.role} {self.check.column}: {self.count:,} of {rows} fields {verb} "
            f"{self.check.fault}: {shown}{self._more()}"
        )
        return text + self._advice()

    def _more(self) -> str:
        return f" and {self.count - len(self.examples):,} more" if self.count > len(self.examples) else ""

    def _advice(self) -> str:
        if self.check is None or self.check.role != "number":
            return ""
        if all(text.startswith("[") for text in self.values):
            return f"; a list is as many numbers as it has with {{column: {self.check.column!r}, length: ...}}"
        if len(self.values) > _MISSING_WORDS:
            return ""
        words = ", ".join(f'"{_short(text)}"' for text in sorted(self.values))
        return f"; where that means missing, say {{column: {self.check.column!r}, missing: [{words}]}}"


class Cells:
    """The faults of one file of a table, gathered chunk by chunk."""

    def __init__(self, file: TableFile, rules: TableRules) -> None:
        """Without any faults yet."""
        self.rows = 0
        self._shape = Fault(file=file)
        self._faults = [Fault(file=file, check=check) for check in checks(rules)]

    def add(self, chunk: Chunk) -> None:
        """Check a chunk; each distinct text of a column is checked once."""
        self.rows += len(chunk.places) + len(chunk.misshapen)
        self._shape.add(chunk.misshapen)
        for fault in self._faults:
            if fault.check is None:
                continue
            texts = chunk.columns[fault.check.column]
            wrong = {text for text in fault.check.doubtful(texts).to_pylist() if not fault.check.is_right(text)}
            if wrong:
                fields = zip(chunk.places.tolist(), texts.to_pylist(), strict=True)
                fault.add((place, text) for place, text in fields if text in wrong)

    @property
    def faults(self) -> list[Fault]:
        """All faults, malformed rows first."""
        return [fault for fault in (self._shape, *self._faults) if fault.count]


def malformed(sentences: Sequence[str]) -> MalformedRowError:
    """The error for all wrong fields of all tables."""
    way_out = "Correct the files or the dataset config."
    if len(sentences) == 1:
        return MalformedRowError(f"{sentences[0]}. {way_out}")
    listed = "\n".join(f"  {sentence}" for sentence in sentences)
    return MalformedRowError(f"Fields of {len(sentences)} columns cannot be used:\n{listed}\n{way_out}")


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


class Uses:
    """Counts for each column with a separator or texts that mean missing, chunk by chunk.

    `counts` has the fields that are not empty ("filled NAME"), those that are a value ("present NAME"), the values
    with the separator ("separated NAME"), and the rows with each listed event of the label ("event NAME").
    """

    def __init__(self, rules: TableRules) -> None:
        """Nothing is counted yet."""
        self.counts = Counter[str]()
        self._rules = rules
        self._examples: dict[str, str] = {}

    def add(self, columns: Mapping[str, pa.StringArray]) -> None:
        """Count the fields of more rows."""
        if self._rules.label and (events := self._rules.label.events):
            for one in pc.value_counts(columns[self._rules.label.column]).to_pylist():
                if one["values"] in events:
                    self.counts[f"event {one['values']}"] += one["counts"]
        for name in spoken_of(self._rules):
            texts = columns[name]
            present = texts.filter(pc.invert(are_missing(texts, self._rules.missing.get(name, ()))))
            self.counts[f"filled {name}"] += len(texts) - (pc.sum(are_missing(texts, ())).as_py() or 0)
            self.counts[f"present {name}"] += len(present)
            if len(present):
                self._examples.setdefault(name, present[0].as_py())
            if separator := self._rules.separators.get(name):
                self.counts[f"separated {name}"] += pc.sum(pc.match_substring(present, separator)).as_py() or 0

    @property
    def problems(self) -> list[ColumnError]:
        """Errors for what the config says but the table does not show."""
        return list(problems(self.counts, self._rules, self._examples))


def spoken_of(rules: TableRules) -> list[str]:
    """The feature columns with a separator, or with texts that mean missing besides the empty one."""
    features = (feature.name for feature in rules.features)
    return [name for name in features if name in rules.separators or rules.missing.get(name, frozenset()) > {""}]


def problems(counts: Mapping[str, int], rules: TableRules, examples: Mapping[str, str]) -> Iterator[ColumnError]:
    """Errors for columns without any value, and for separators and events in no field, given the counts of all rows."""
    if rules.label:
        for event, kind in rules.label.events.items():
            if not counts.get(f"event {event}", 0):
                yield ColumnError(
                    f"{rules.shown}: the {kind} event {event!r} is in no row's {rules.label.column}. Correct "
                    f"`label.{kind}`, or leave it out."
                )
    for name in spoken_of(rules):
        filled, present = counts.get(f"filled {name}", 0), counts.get(f"present {name}", 0)
        separator = rules.separators.get(name)
        if filled and not present:
            words = ", ".join(repr(word) for word in sorted(rules.missing[name] - {""}))
            yield ColumnError(
                f"{rules.shown}: no value is left in the column {name}: each of its {filled:,} filled fields is one of "
                f"the texts that mean missing ({words}). Correct `missing`, or leave the column out."
            )
        elif separator and present and not counts.get(f"separated {name}", 0):
            yield ColumnError(
                f"{rules.shown}: the separator {separator!r} is in none of the {present:,} fields of the column "
                f"{name}, which look like {examples.get(name, '')[:60]!r}. Correct `separator`, or leave it out."
            )


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
    """What `training.datasets.described.quick` counts; `whole` if all interactions were read. Empty if users or items
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
