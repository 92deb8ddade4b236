"""A first look at a described dataset's tables, without Spark: everything that is wrong with them, in one error.

Each file is read whole up to `SAMPLE_CHARACTERS` of text, and its beginning where it is longer: what only all rows can
tell (keys that match nothing, one class, a column without a value) is then left to the check on Spark, which reads all.
"""

from collections import Counter
from dataclasses import dataclass, field

from training.datasets.described.cells import Cells, malformed
from training.datasets.described.fields import TableRules, is_click, key_of
from training.datasets.described.problems import KEY_EXAMPLES, Matches, no_match, no_row, raise_all, repeated_key
from training.datasets.described.texts import Table, is_text
from training.datasets.described.uses import Uses
from training.datasets.errors import DatasetError, DuplicateKeyError, OneClassError
from training.datasets.labels import require_both_classes

SAMPLE_CHARACTERS = 8_000_000
"""Text of each file that is looked at: 100,000 rows of four short columns are 2 million characters."""


@dataclass(kw_only=True)
class Look:
    """What was seen of a table; `keys` are as they are joined, and `places` say where each row stands."""

    rules: TableRules
    cells: Cells
    uses: Uses
    keys: dict[str, list[str]]
    places: list[int] = field(default_factory=list)
    labels: list[bool | None] = field(default_factory=list)
    whole: bool = True

    @property
    def rows(self) -> str:
        """Of how many rows the numbers speak."""
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
        look.places += chunk.places
        for name, column in rules.keys.items():
            look.keys[name] += map(key_of, chunk.columns[column])
        if rules.label:
            known = {text: is_click(text, rules.label) for text in set(chunk.columns[rules.label.column])}
            look.labels += [known[text] for text in chunk.columns[rules.label.column]]
    look.whole = table.whole
    if not look.cells.rows:
        raise no_row(rules.path)
    return look


def _repeated(look: Look) -> DuplicateKeyError | None:
    ((name, column),) = look.rules.keys.items()
    keys = look.keys[name]
    if len(set(keys)) == len(keys):
        return None
    repeated = [key for key, count in Counter(keys).items() if count > 1 and key]
    if not repeated:
        return None
    where = [place for key, place in zip(keys, look.places, strict=True) if key == repeated[0]]
    unit = "lines" if is_text(look.rules.path) else "rows"
    at = f"{unit} {', '.join(map(str, where[:5]))}"
    return repeated_key(look.rules, column, repeated[0], f"{len(where):,} rows ({at})", len(repeated) - 1)


def _joined(looks: dict[str, Look]) -> list[DatasetError]:
    interactions = looks["interactions"]
    known = {table: set(next(iter(look.keys.values()))) for table, look in looks.items() if table != "interactions"}
    names = {table: next(iter(looks[table].rules.keys)) for table in known}
    found = {table: [key in known[table] for key in interactions.keys[names[table]]] for table in known}
    labels = [label for label, *both in zip(interactions.labels, *found.values(), strict=True) if all(both)]
    if not labels:
        matches = {
            table: Matches(
                key=names[table],
                rows=sum(found[table]),
                ours=interactions.keys[names[table]][:KEY_EXAMPLES],
                theirs=looks[table].keys[names[table]][:KEY_EXAMPLES],
            )
            for table in known
        }
        return [no_match(interactions.rows, {table: look.rules for table, look in looks.items()}, matches)]
    try:
        left = f"{interactions.rules.path} that survive the join"
        require_both_classes(left, rows=len(labels), clicks=sum(map(bool, labels)))
    except OneClassError as error:
        return [error]
    return []
