"""The quick check of a dataset's tables before training, which raises everything that is wrong in one error.

Each table is read whole up to `SAMPLE_CHARACTERS` of text, and its beginning where it is longer: what only all rows can
tell (keys that match nothing, one class, a column without a value) is then left to the reading of all rows, which looks
here for what is wrong. Rows are read as for training, and one by one only where that fails.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.values import AS_WRITTEN, UNITS, KeyRule, TimeFormat, is_number, key_of
from recommend.arrays import Mask
from training.config import ONE_TIME, TablesSpec
from training.errors import (
    BadRowsError,
    ColumnError,
    DatasetError,
    DuplicateKeyError,
    EmptyDatasetError,
    JoinError,
    MalformedRowError,
    SeveralProblemsError,
    require_both_classes,
)
from training.kernels.columns import LABEL
from training.tables.columns import KEYS, require_columns
from training.tables.files import PARTNER, TableFile
from training.tables.keys import KnownKeys
from training.tables.opening import readable
from training.tables.refunds import FAR_AFTER, NOTHING, REFUNDED, REFUNDS, standing
from training.tables.texts import IN_QUOTES, Beginning, Chunk, text_array, text_of
from training.tables.typed import (
    ALONE,
    KEYLESS,
    OUTSIDE,
    REPEATED,
    SPELLED,
    Check,
    TableRules,
    checks,
    cleaned,
    is_time,
    left_out,
    typed,
    untyped,
    with_point,
)

READ, ROWS = "read", "rows"


def matches(
    own: Mapping[str, pa.StringArray], known: Mapping[str, KnownKeys], rows: int, inner: Collection[str]
) -> tuple[dict[str, pa.Int64Array], Mask, Counter[str]]:
    """The join of so many interactions, with their `own` keys, and of tables with these `known` keys: by table each
    interaction's row in it, or null; which interactions have one in all `inner` tables, bool[n], or are those of a
    one-time user; and how many were `READ`, and how many have none in each table.
    """
    places = {table: keys.find(own[KEYS[table]]) for table, keys in known.items()}
    found = {
        table: pc.or_(place.is_valid(), pc.equal(own[KEYS[table]], "")).to_numpy(zero_copy_only=False)
        for table, place in places.items()
    }
    kept = np.logical_and.reduce([np.ones(rows, np.bool_), *(found[table] for table in inner)])
    lacking = {table: ~one if table in inner else ~one & kept for table, one in found.items()}
    counts = Counter({READ: rows} | {unknown(table): int(one.sum()) for table, one in lacking.items()})
    return places, kept, counts


def kept(found: Mapping[str, int], spec: TablesSpec) -> str:
    """How many rows were read and kept, and why the others were dropped, in sentences; "" where all are kept as they
    are, since no table is joined.
    """
    return joined(found, spec.inner, f"{found[READ]:,} events make {found[ROWS]:,} rows" if spec.one_row_per else "")


def joined(found: Mapping[str, int], tables: Collection[str], events: str = "", first: str = "") -> str:
    """The same of interactions or events, before these make rows, or with a sentence about `events`; `first` is "the
    first " if others were not read.
    """
    known = " and ".join(table.removesuffix("s") for table in tables)
    rows = f"{events} with" if events else f"{found[ROWS]:,} of {first}{found[READ]:,} interactions have"
    text = f"{rows} a known {known}{dropped(found, tables)}" if known else events
    return ". ".join(filter(None, (text, changed(found, tables))))


def dropped(found: Mapping[str, int], tables: Iterable[str]) -> str:
    """The end of a sentence with the reasons; "" if nothing was dropped."""
    reasons = [
        f"{count:,} whose {table.removesuffix('s')} is not in the table of {table}"
        for table in tables
        if (count := found.get(unknown(table), 0))
    ]
    return f"; dropped: {', '.join(reasons)}" if reasons else ""


def changed(found: Mapping[str, int], tables: Collection[str]) -> str:
    """What cleaning dropped or changed, in sentences; "" if it did nothing."""
    every = ("interactions", "users", "items")
    said = {
        "Cleaning left out": {
            **{f"{OUTSIDE} {table}": f"of the {table} by `where`" for table in every},
            ALONE: "of the interactions without a row in a joined table",
            KEYLESS: "of the interactions for lack of a key",
            **{f"{REPEATED} {table}": f"of the {table} because their key is repeated" for table in every},
            REFUNDS: "as refunds",
            REFUNDED: "as taken back by refunds",
            NOTHING: "with an amount of 0",
        },
        "It changed how keys are spelled:": {f"{SPELLED} {table}": f"in the {table}" for table in every},
        "Among the interactions are": {
            ONE_TIME: "of one-time users",
            FAR_AFTER: "dated far after all others, from which no age counts",
            **({} if "items" in tables else {unknown("items"): "with items that are learned from and not recommended"}),
        },
    }
    counts = {
        before: ", ".join(f"{found[name]:,} {text}" for name, text in names.items() if found.get(name))
        for before, names in said.items()
    }
    return ". ".join(f"{before} {listed}" for before, listed in counts.items() if listed)


def unknown(table: str) -> str:
    """The name of the count of interactions without a row in a table."""
    return f"unknown {table}"


NO_OTHERS = ", or write `label: positives` if there are no others"
"""The way out for tables whose rows are all positive."""
KEY_EXAMPLES = 3
"""How many keys of each side are shown if none match."""


def raise_all(problems: Sequence[DatasetError]) -> None:
    """Raise the error in `problems`, or one that lists them all; nothing if there are none."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        listed = "\n".join(f"{number}. {error}" for number, error in enumerate(problems, start=1))
        raise SeveralProblemsError(f"The tables cannot be used, for {len(problems)} reasons:\n{listed}")


EXAMPLES = 5
"""How many wrong fields of a column are shown."""
_SHOWN_CHARACTERS = 60
_MISSING_WORDS, _GUESSED_FROM = 3, 1_000
_PLACE = ""
"""The place of a row beside its columns, none of which has this name."""


@dataclass(kw_only=True)
class Fault:
    """A column's wrong fields in a file, or without a `check` its malformed rows, with the places of the first.
    `values` are different ones, of which so many are enough to guess from.
    """

    file: TableFile
    rules: TableRules
    check: Check | None = None
    count: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)
    values: set[str] = field(default_factory=set)

    def add(self, places: Iterable[tuple[int, str | float]]) -> None:
        """Count more, in the file's order."""
        for place, value in places:
            text = text_of(value)
            self.count += 1
            if len(self.examples) < EXAMPLES:
                self.examples.append((place, text))
            if len(self.values) < _GUESSED_FROM:
                self.values.add(text)

    def sentence(self, rows: str) -> str:
        """A sentence with what is wrong and where, of so many checked `rows`: `943`, or `the first 5,000`."""
        verb = "is" if self.count == 1 else "are"
        if self.check is None:
            shown = ", ".join(f"line {place} has {text}" for place, text in self.examples)
            unnamed = "malformed" if self.file.text.columns else "not split as the header is"
            fault = "no JSON object" if self.file.is_json else unnamed
            rest = f"rows {verb} {fault}: {shown}{self._more()}"
            return f"{self.file.path}: {self.count:,} of {rows} {rest}{self._advice_on_lines(rows)}"
        unit = "line" if self.file.has_lines else "row"
        shown = ", ".join(f"{unit} {place} {_short(text)!r}" for place, text in self.examples)
        text = (
            f"{self.file.path}, {self.check.role} {self.check.column}: {self.count:,} of {rows} fields {verb} "
            f"{self.check.fault}: {shown}{self._more()}"
        )
        return text + self._advice()

    def _more(self) -> str:
        return f" and {self.count - len(self.examples):,} more" if self.count > len(self.examples) else ""

    def _advice_on_lines(self, rows: str) -> str:
        if IN_QUOTES in self.values:
            return f"; if that is meant, write `line_breaks: true` under `{self.rules.table}`"
        is_every = self.file.is_text and not self.file.text.columns and f"{self.count:,}" == rows
        return "; the first line must name the columns" if is_every else ""

    def _advice(self) -> str:
        if ways := [*self._ways()]:
            return f"; if that is meant, write {' or '.join(ways)}"
        if self.check is None or self.check.role != "number":
            return ""
        if all(text.startswith("[") for text in self.values):
            return f"; a list is as many numbers as it has with {{column: {self.check.column!r}, length: ...}}"
        texts = "; for texts, write `is` or `not`" if self.check.first else ""
        if len(self.values) > _MISSING_WORDS:
            return texts
        words = ", ".join(f'"{_short(text)}"' for text in sorted(self.values))
        line = f"missing: [{words}]"
        if any(one.name == self.check.column for one in self.rules.features):
            line = f"{{column: {self.check.column!r}, {line}}}"
        return f"{texts}; where that means missing, say {line}"

    @property
    def _has_commas(self) -> bool:
        are_numbers = all(is_number(with_point(one, ",")) for one in self.values)
        return self.file.is_text and are_numbers and any("," in one for one in self.values)

    def _ways(self) -> Iterator[str]:
        """The lines of the config with which all values would be right."""
        rules, column = self.rules, "" if self.check is None else self.check.column
        match self.check and self.check.role:
            case "number" | "label" if self._has_commas:
                yield f'decimal: "," under `{rules.table}`'
            case "timestamp" | "time" as role:
                before, after = ("timestamp: ", "") if role == "timestamp" else ("", " under `times`")
                formats = [form for form in TimeFormat if all(is_time(one, form) for one in self.values)]
                if UNITS.keys() & {*formats}:  # a number that is one of seconds, too, is hardly one of milliseconds
                    formats = formats[:1]
                yield from (f"{before}{{column: {column}, format: {form}}}{after}" for form in formats)
            case "key" if rules.table == "interactions" and column in rules.keys.values():
                yield "missing_keys: drop under `interactions` (or one_time, if a `basket` says what came together)"
            case "label" if rules.label and rules.label.choice:
                yield f"where: {{{column}: {{is: [{', '.join(rules.label.choice)}]}}}} under `interactions`"


def malformed(sentences: Sequence[str]) -> MalformedRowError:
    """The error for all wrong fields of all tables."""
    way_out = "Correct the files or the dataset config."
    if len(sentences) == 1:
        return MalformedRowError(f"{sentences[0]}. {way_out}")
    listed = "\n".join(f"  {sentence}" for sentence in sentences)
    return MalformedRowError(f"Fields of {len(sentences)} columns cannot be used:\n{listed}\n{way_out}")


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def problems(counts: Mapping[str, int], rules: TableRules, examples: Mapping[str, str]) -> Iterator[ColumnError]:
    """Errors for columns without any value, and for separators and events in no field, given the counts of all rows."""
    shown = rules.source.shown
    if rules.label:
        left = " of those that `where` and `missing_keys` leave" if left_out(counts) else ""
        for event, kind in rules.label.events.items():
            if not counts.get(f"event {event}", 0):
                yield ColumnError(
                    f"{shown}: the {kind} event {event!r} is in no row's {rules.label.column}{left}. Correct "
                    f"`label.{kind}`, or leave it out."
                )
    for name in rules.spoken_of:
        filled, present = counts.get(f"filled {name}", 0), counts.get(f"present {name}", 0)
        separator = rules.separators.get(name)
        if filled and not present:
            words = ", ".join(repr(word) for word in sorted(rules.missing[name] - {""}))
            yield ColumnError(
                f"{shown}: no value is left in the column {name}: each of its {filled:,} filled fields is one of the "
                f"texts that mean missing ({words}). Correct `missing`, or leave the column out."
            )
        elif separator and present and not counts.get(f"separated {name}", 0):
            yield ColumnError(
                f"{shown}: the separator {separator!r} is in none of the {present:,} fields of the column "
                f"{name}, which look like {examples.get(name, '')[:60]!r}. Correct `separator`, or leave it out."
            )


SAMPLE_CHARACTERS = 8_000_000
"""How much text of each table is checked: 100,000 rows of four short columns are 2 million characters."""


class Look:
    """What was read of a table: keys, labels and counts of its rows, and its faults."""

    def __init__(self, rules: TableRules, characters: int) -> None:
        """Read the table; raises the fitting `DatasetError` if that is not possible."""
        require_columns(rules.files, [name for name in rules.columns if name != PARTNER])
        self.rules = rules
        self.uses = Counter[str]()
        self.examples = dict[str, str]()
        self.heads: list[Mapping[str, pa.Array]] = []
        self.kept = 0
        """How many of the rows that were read cleaning left."""
        self._read = Counter[TableFile]()
        self._faults = {
            file: [Fault(file=file, rules=rules, check=check) for check in (None, *checks(rules))]
            for file in rules.files
        }
        self._chunks = Beginning(rules.files, rules.columns, characters)
        for chunk in self._chunks:
            with readable(chunk.file):
                self._add(chunk)
        if self.whole and not self.rows:
            raise EmptyDatasetError(f"{rules.source.shown} has no row. Give a file with rows in it.")
        if self.whole and not self.kept and not self.faults:
            lines = " and ".join(f"`{line}`" for line in ("where", "missing_keys") if getattr(rules.source, line))
            raise EmptyDatasetError(
                f"{rules.source.shown}: {lines} of the dataset config leave none of its {self.rows:,} rows "
                f"({changed(self.uses, KEYS)}). Correct that, or leave it out."
            )
        if rules.whole_row:
            keys = self.column(next(iter(rules.keys)))
            self.uses[f"{REPEATED} {rules.table}"] += len(keys) - len(pc.unique(keys))

    def _add(self, chunk: Chunk) -> None:
        try:
            table = typed(chunk.columns(), self.rules)
            self._read[chunk.file] += table.rows + left_out(table.uses)
        except BadRowsError as error:
            known = sum(fault.count for fault in self._faults[chunk.file])
            table = untyped(self._look_again(chunk), self.rules)
            if known == sum(fault.count for fault in self._faults[chunk.file]):
                raise DatasetError(
                    f"{chunk.file.path} cannot be read ({error}), though each row is well formed. Write it again."
                ) from error
        for name in self.rules.separators.keys() & table.features.keys():
            texts = table.features[name]
            for text in texts.filter(pc.not_equal(texts, ""))[:1].to_pylist():
                self.examples.setdefault(name, text)
        self.heads.append(table.columns)
        self.kept += table.rows
        self.uses += table.uses

    def _look_again(self, chunk: Chunk) -> dict[str, pa.StringArray]:
        """Add the chunk's faults; returns the texts of the rows that are well formed."""
        lines = chunk.lines()
        self._read[chunk.file] += len(lines.places) + len(lines.misshapen)
        texts = {
            name: pa.array(lines.columns[name]) if name == PARTNER else text_array([*map(text_of, lines.columns[name])])
            for name in self.rules.columns
        }
        kinds = {} if isinstance(chunk.rows, bytes) else {one.name: one.type for one in chunk.rows.schema}
        left, found = cleaned({**texts, _PLACE: pa.array(range(len(lines.places)), pa.int64())}, self.rules, kinds)
        self.uses += found
        kept = np.isin(np.arange(len(lines.places)), left[_PLACE].to_numpy())
        for fault in self._faults[chunk.file]:
            if fault.check is None:
                fault.add(lines.misshapen)
            else:
                rows = zip(lines.places, lines.columns[fault.check.column], kept, strict=True)
                some = ((place, value) for place, value, is_kept in rows if is_kept or fault.check.first)
                fault.add((place, value) for place, value in some if not fault.check.is_right(value))
        return {name: values for name, values in left.items() if name != _PLACE}

    @property
    def whole(self) -> bool:
        """Whether all rows were read."""
        return self._chunks.whole

    @property
    def rows(self) -> int:
        """How many rows were read."""
        return self._read.total()

    @property
    def faults(self) -> list[str]:
        """What is wrong, in sentences."""
        last = next(reversed(self._read), None)
        return [
            fault.sentence(_counted(self._read[file], whole=self.whole or file != last))
            for file, faults in self._faults.items()
            for fault in faults
            if fault.count
        ]

    @property
    def repeated(self) -> list[DuplicateKeyError]:
        """An error if several rows have the same key."""
        if self.rules.whole_row:
            return []
        ((name, column),) = self.rules.keys.items()
        counts = pc.value_counts(self.column(name))
        again = pc.and_(pc.greater(counts.field("counts"), 1), pc.not_equal(counts.field("values"), ""))
        repeated = counts.field("values").filter(again)
        if not len(repeated):
            return []
        found = repeats(self.rules.files, column, repeated.to_pylist(), self.rules.key_rule(name).of)
        way = f"Keep one row for each key, or write `duplicates: drop` under `{self.rules.table}`."
        return [DuplicateKeyError(f"{self.rules.source.shown} has {found}. {way}")]

    def column(self, name: str) -> pa.Array:
        """One of the columns of all rows."""
        return pa.concat_arrays([head[name] for head in self.heads])


def repeats(
    files: Sequence[TableFile], column: str, repeated: Sequence[str], key: Callable[[str], str] = key_of
) -> str:
    """The rows of the first of the `repeated` keys, at least one, and how many more there are, in words; `key` makes
    the column's texts comparable.
    """
    places = [
        (chunk.file, place)
        for chunk in Beginning(files, [column])
        for lines in [chunk.lines()]
        for place, value in zip(lines.places, lines.columns[column], strict=True)
        if key(text_of(value)) == repeated[0]
    ]
    others = len(repeated) - 1
    more = f", and {others:,} more {'key is' if others == 1 else 'keys are'} repeated" if others else ""
    return f"{len(places):,} rows ({_at(places[:EXAMPLES])}) with the {column} {repeated[0]!r}{more}"


def _at(places: Sequence[tuple[TableFile, int]]) -> str:
    """Where rows are, in words: `lines 2, 4`, or of several files `line 2 of a.csv, ...`."""
    if len({file for file, _ in places}) == 1:
        return f"{'lines' if places[0][0].has_lines else 'rows'} {', '.join(str(place) for _, place in places)}"
    return ", ".join(f"{'line' if file.has_lines else 'row'} {place} of {file.path}" for file, place in places)


def look_at(rules: Mapping[str, TableRules], characters: int = SAMPLE_CHARACTERS) -> str:
    """Read the beginning of each table and raise one `DatasetError` with all that is wrong; its class is the cause's
    own where there is only one. Returns how many interactions the join drops, if any were found.
    """
    looks: dict[str, Look] = {}
    wrong: list[DatasetError] = []
    for table, rule in rules.items():
        try:
            looks[table] = Look(rule, characters)
        except DatasetError as error:
            wrong.append(error)
    if faults := [sentence for look in looks.values() for sentence in look.faults]:
        wrong.append(malformed(faults))
    for table, look in looks.items():
        if table != "interactions":
            wrong += look.repeated
        if look.whole:
            wrong += problems(look.uses, look.rules, look.examples)
    others = {table: look for table, look in looks.items() if table != "interactions"}
    if wrong or "interactions" not in looks or not all(look.whole for look in others.values()):
        raise_all(wrong)
        return ""
    own = looks["interactions"]
    known = {table: KnownKeys.of(pc.unique(look.column(KEYS[table]))) for table, look in others.items()}
    only_choices = own.rules.label is None or bool(own.rules.label.choice)
    inner = [table for table in others if table == "users" or not only_choices]
    _, kept, found = matches({name: own.column(name) for name in own.rules.keys}, known, own.kept, inner)
    if own.whole:
        _require_rows(looks, kept, found, inner)
    columns = {name: own.column(name).filter(pa.array(kept)) for name in own.heads[0]}
    found += standing(columns, own.rules, whole=own.whole)[1] + Counter({ROWS: int(kept.sum())})
    found += sum((look.uses for look in looks.values()), Counter[str]())
    tells = dropped(found, inner) or changed(found, inner)
    said = joined(found, inner, first="" if own.whole else "the first ") if tells else ""
    return ". ".join(filter(None, (said, *(_spellings(own, table) for table in KEYS if KEYS[table] in own.rules.keys))))


ONE_SPELLING = KeyRule(lowercase=True, strip=True)


def _spellings(look: "Look", table: str) -> str:
    """Whether keys of the users or items differ in nothing but case and spaces around them, in a sentence."""
    keys = [key for key in pc.unique(look.column(KEYS[table])).to_pylist() if key]
    if look.rules.key_rule(KEYS[table]) != AS_WRITTEN or (count := len({*map(ONE_SPELLING.of, keys)})) == len(keys):
        return ""
    line = f"`keys: {{lowercase: true, strip: true}}` under `{table}`"
    return f"{len(keys):,} keys of {table} are {count:,} if case and spaces around them do not count; then write {line}"


def _require_rows(looks: Mapping[str, Look], kept: Mask, found: Mapping[str, int], inner: Collection[str]) -> None:
    """Raise `JoinError` if no interaction is kept, and `OneClassError` if all that are have one label."""
    own = looks["interactions"]
    others = [table for table in looks if table != "interactions"]
    if not kept.any() or any(found[unknown(table)] == kept.sum() for table in others if table not in inner):
        parts = [
            f"{own.kept - found[unknown(table)]:,} have a row in {looks[table].rules.source.shown} (keys look like "
            f"{_examples(own, table)} in the interactions' {own.rules.keys[KEYS[table]]} and "
            f"{_examples(looks[table], table)} in the {table}' {looks[table].rules.keys[KEYS[table]]})"
            for table in others
        ]
        raise JoinError(
            f"0 of {own.rows:,} rows of {own.rules.source.shown} survive the join: {' and '.join(parts)}. Make the "
            f"keys the same in both tables: 12 and 12.0 are one key, 012 and u12 are others.{_advice(looks, others)}"
        )
    if own.rules.label and not own.rules.label.choice:
        left = f"{own.rules.source.shown}{' that survive the join' if others else ''}"
        clicks = int(own.column(LABEL).to_numpy()[kept].sum())
        require_both_classes(left, rows=int(kept.sum()), clicks=clicks, if_clicks=NO_OTHERS)


def _advice(looks: Mapping[str, "Look"], others: Sequence[str]) -> str:
    """A line of the config with which keys would match, if it is that."""
    for table in others:
        mine, theirs = (
            {ONE_SPELLING.of(key) for key in pc.unique(looks[name].column(KEYS[table])).to_pylist()}
            for name in ("interactions", table)
        )
        if mine & theirs:
            return f" Or write `keys: {{lowercase: true, strip: true}}` under `{table}`."
    return ""


def _examples(look: Look, table: str) -> str:
    return ", ".join(map(repr, look.column(KEYS[table])[:KEY_EXAMPLES].to_pylist()))


def _counted(rows: int, *, whole: bool) -> str:
    return f"{rows:,}" if whole else f"the first {rows:,}"
