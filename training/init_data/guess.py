"""Guesses the dataset config of a folder's tables, with a reason for each guess."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from features.values import key_of, microseconds
from training.config import LABEL, Label
from training.errors import GuessError
from training.init_data.columns import (
    Decided,
    LabelGuess,
    Line,
    TimestampGuess,
    decide_on,
    guess_label,
    guess_timestamp,
)
from training.init_data.converted import DATABASES, WORKBOOKS, converted
from training.init_data.other_forms import attributes, refuse_attributes, refuse_shown_lists, refuse_unknown
from training.init_data.profile import (
    ColumnProfile,
    TableProfile,
    as_written,
    beginning,
    filled,
    folded,
    profile,
    with_keys,
    words,
)
from training.init_data.roles import QUANTITIES, Link, Roles, find_roles, is_order, is_person
from training.tables.columns import header
from training.tables.files import files_of, is_hidden, is_no_table, is_table, listed_suffixes
from training.tables.quick import repeats
from training.tables.typed import is_click

_SESSIONS = {"session", "visit", "impression"}
_MIN_BOTH = 0.1
"""The least share of the rows with a positive event that must have a negative one too."""


def guess_rows(table: TableProfile, keys: Sequence[str], guessed: LabelGuess) -> Line | None:
    """The columns that bring a row's events together; None if the label is no list of events, or events stay apart.

    `keys` are the columns with users and items, which it takes both.
    """
    if guessed.of_choices or len(keys) < 2:  # noqa: PLR2004 - users and items
        return None
    label = Label.model_validate({"column": guessed.column, **guessed.rule})
    if not label.events:
        return None
    sessions = [one.name for one in table.columns.values() if _SESSIONS & {*words(one.name)} and one.is_complete]
    columns = [*keys, *[name for name in sessions if name not in keys][:1]]
    events = defaultdict[tuple[str, ...], set[bool | None]](set)
    rows, _ = beginning(table, [*columns, label.column])
    for *key, text in zip(*(texts.to_pylist() for texts in rows.columns), strict=True):
        events[tuple(key)].add(is_click(text, label))
    positive = [found for found in events.values() if True in found]
    both = sum(False in found for found in positive)
    if both < _MIN_BOTH * len(positive):
        return None
    why = f"{both:,} of {len(positive):,} with a positive event have a negative one too"
    return Line("one_row_per", columns, f"events that are the same in these are one row: {why}")


ROLES = ("interactions", "users", "items")
_WORTH = 0.005
"""The least AUC that the keys must gain; on 20,000 held-out rows its standard error is about 0.004."""
_OTHERS = {".yaml", ".md", ".py"}
_COME_BACK = 5
"""A key is tried as a feature if its values have at least this many rows on average."""


@dataclass(frozen=True, kw_only=True)
class Gains:
    """The AUC that the keys, their crosses and their factors gain on held-out rows; `rows` names those in words.

    Each gain is beside the additions before it; `without` is the AUC without any. What chance explains is no gain.
    """

    rows: str
    without: float
    keys: float
    crosses: dict[tuple[str, str], float] = field(default_factory=dict)
    factors: dict[tuple[str, str], float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Guess:
    """A guessed config: the roles of the tables, the label, and what to do with every other column."""

    roles: Roles
    label: LabelGuess
    lines: Mapping[str, Sequence[Line]]
    """By table, and under "" of the whole config."""
    features: list[Decided] = field(default_factory=list)
    left_out: list[Decided] = field(default_factory=list)
    ignored: tuple[str, ...] = ()
    """The names of other files in the folder."""
    attributes: tuple[Path, ...] = ()
    """The tables that have an attribute and its value in each row."""
    gains: Gains | None = None
    """What the keys and what is made of them gain as features; None if it was not tried."""

    @property
    def keys(self) -> dict[str, float]:
        """The keys of users and items that come back often enough to be features, and how often on average; none that
        have a rule.
        """
        columns, links = self.roles.interactions.columns, self.roles.links
        ruled = {role for role in links if any(line.name == "keys" for line in self.lines[role])}
        uses = {link.foreign_key: columns[link.foreign_key] for role, link in links.items() if role not in ruled}
        often = {name: column.filled / max(1, len(column.values)) for name, column in uses.items()}
        return {name: mean for name, mean in often.items() if mean >= _COME_BACK}

    @property
    def has_keys(self) -> bool:
        """Whether the keys are features of a click model: there is nothing else, or they gain enough to justify a model
        that is weaker for new users and items.
        """
        gains = self.gains
        in_all = gains.keys + sum([*gains.crosses.values(), *gains.factors.values()]) if gains else 0.0
        return not self.label.of_choices and bool(self.keys) and (not self.features or in_all >= _WORTH)


def guess(
    folder: Path,
    told: Mapping[str, Path],
    label: str | None = None,
    keys: Mapping[str, str] | None = None,
    into: Path | None = None,
) -> Guess:
    """The config of the tables in `folder`; `told` has files with a given role, `label` is a given label column, and
    workbooks and databases become tables in `into`, by default the folder itself.

    `keys` has given columns of the interactions, by role. Raises `GuessError` if the roles can't be guessed, and a
    `DatasetError` for a file that can't be read.
    """
    files, ignored = _files(folder, told, into or folder)
    for path in files:
        refuse_shown_lists(path, header(files_of(as_written(path))[0]))
    parts = [[path] for path in files] if told else _parts(files)
    profiles = {path: _filled(profile(path, *more)) for path, *more in parts}
    named = {path.resolve() for path in told.values()}
    of_attributes = {path: pair for path, one in profiles.items() if path not in named and (pair := attributes(one))}
    tables = [one for path, one in profiles.items() if path not in of_attributes]
    if of_attributes and not any(is_person(name) for one in tables for name in one.columns):
        raise refuse_attributes([(profiles[path], *columns) for path, columns in of_attributes.items()])
    roles = find_roles(tables, {role: profiles[path.resolve()] for role, path in told.items()}, keys or {})
    table, own = roles.interactions, {link.foreign_key for link in roles.links.values()}
    basket = _basket(table, own)
    # Orders of guests are read without the key of a user.
    kept = with_keys(table, [link.foreign_key for link in roles.links.values() if not (basket and link is roles.users)])
    refunds = _refunds(kept)
    others = [one for name, one in kept.columns.items() if name not in own | {basket}]
    recommends = roles.users is not None and roles.items is not None
    found = guess_label(kept, others, label, recommends=recommends, are_orders=bool(basket))
    timestamp, why_not = guess_timestamp(
        kept, [one for one in others if one.name != found.column], of_choices=found.of_choices
    )
    rows = guess_rows(table, [link.foreign_key for link in roles.links.values()], found)
    taken = own | {found.column} | ({timestamp.column} if timestamp else set()) | {*(rows.value if rows else ())}
    lines = _lines(roles, found, timestamp, basket, refunds)
    lines[""][:0] = [rows] if rows else []
    of_values = tuple(part for path in of_attributes for part in profiles[path].source.paths)
    guessed = Guess(roles=roles, label=found, lines=lines, left_out=why_not, ignored=ignored, attributes=of_values)
    if found.of_choices:
        taken |= {basket, refunds}
    _add_features(guessed, taken | {one.column for one in why_not})
    if not guessed.features and not guessed.keys and not found.of_choices:
        unused = "".join(f" {one.column} {one.why}." for one in guessed.left_out)
        raise GuessError(
            f"No column of {folder} looks like a feature.{unused} Users and items don't come back often enough either. "
            "Write the dataset config by hand, starting from examples/tables/dataset.yaml."
        )
    return guessed


def _files(folder: Path, told: Mapping[str, Path], into: Path) -> tuple[list[Path], tuple[str, ...]]:
    """The tables, and the names of the folder's other files."""
    if missing := [str(path) for path in (folder, *told.values()) if not path.exists()]:
        raise GuessError(f"There is no {' and no '.join(missing)}. Give the folder with the tables.")
    if folder.is_file():
        raise GuessError(f"{folder} is a file. Give the folder with the tables, {folder.parent}.")
    if unknown := [str(path) for path in told.values() if is_no_table(path)]:
        raise GuessError(
            f"The format of {' and '.join(unknown)} is unknown. Rename files of tables so that they end in "
            f"{listed_suffixes()}."
        )
    known = {path.resolve() for path in told.values()}
    found = sorted(path.resolve() for path in folder.iterdir()) if folder.is_dir() else []
    tables = [path for path in found if is_table(path)]
    if made := [path.resolve() for path in (converted(folder, into) if folder.is_dir() else ())]:
        tables = sorted({*tables, *made})
        found = [path for path in found if path.suffix.lower() not in (*WORKBOOKS, *DATABASES)]
    if partitions := [path.name for path in tables if "=" in path.name and path.is_dir()]:
        raise GuessError(
            f"{folder} is itself a table, of partitions such as {partitions[0]}. Give the folder in which it is."
        )
    files = sorted(known if len(known) == len(ROLES) else {*tables, *known})
    others = tuple(
        path.name
        for path in found
        if path.is_file() and path not in files and not is_hidden(path.name) and path.suffix not in _OTHERS
    )
    if files:
        return files, others
    for name in others:
        refuse_unknown(folder / name)
    ignored = f" Ignored were {', '.join(others[:10])}: rename them if they are tables." if others else ""
    raise GuessError(
        f"{folder} has no table, a file that ends in {listed_suffixes()}, or a folder of such files.{ignored} Name "
        "tables that are elsewhere: --interactions FILE, and --users FILE and --items FILE if there are such tables."
    )


_GROUPS = {"handle", "parent"}
"""Words in the names of columns that the variants of an item have in common."""
_NAMED_ONCE = 0.5
"""The least share of the groups in which a row names a value, if all other rows lack it."""


def _filled(table: TableProfile) -> TableProfile:
    """The table, with what its exporter names in the first row of an order or of an item alone in their other rows."""
    for by in table.columns.values():
        is_one = is_order(by.name) or all(map(_NUMBERED.fullmatch, by.values))
        if not (is_one or _GROUPS & {*words(by.name)}) or not by.is_complete or by.is_unique:
            continue
        lacking = [one for one in table.columns.values() if one is not by and one.values and not one.is_complete]
        has_time = any(one.time_formats and one.is_complete for one in table.columns.values())
        used = [one.name for one in lacking if not is_one or _is_of_orders(one, has_time=has_time)]
        rows, _ = beginning(table, [by.name, *used])
        groups = rows[by.name].to_pylist()
        if named := [name for name in used if _is_named_once(groups, rows[name].to_pylist())]:
            return filled(table, by.name, named)
    return table


def _is_of_orders(column: ColumnProfile, *, has_time: bool) -> bool:
    """Whether a column says whose an order is, what became of it, or when it was, if no other does."""
    is_status = any(text.lower() in _UNDONE for text in column.values)
    return is_person(column.name) or is_status or (bool(column.time_formats) and not has_time)


def _is_named_once(groups: Sequence[str], texts: Sequence[str]) -> bool:
    """Whether no group has two of these texts, most have one, and some of these also have rows without."""
    found = defaultdict[str, set[str]](set)
    for group, text in zip(groups, texts, strict=True):
        found[group].add(text)
    named = [one for one in found.values() if one != {""}]
    is_one = all(len(one - {""}) == 1 for one in named)
    return is_one and any("" in one for one in named) and len(named) >= _NAMED_ONCE * len(found)


_HALVES = {"prior", "train", "test"}


def _parts(files: Sequence[Path]) -> list[list[Path]]:
    """The files by the table that they are parts of: they have the same columns, and names that differ in a number or
    in a word for a part, such as `lines_2025.csv` and `lines_2026.csv`.
    """
    found = defaultdict[tuple[str, ...], list[Path]](list)
    for path in files:
        said = words(path.name.split(".")[0])
        whole = [word for word in said if not (word in _HALVES or any(sign.isdigit() for sign in word))]
        is_part = path.is_file() and 0 < len(whole) < len(said)
        found[(*whole, str(len(said)), *header(files_of(as_written(path))[0])) if is_part else (str(path),)].append(
            path
        )
    return [*found.values()]


def _add_features(guessed: Guess, taken: set[str]) -> None:
    """Decide about each column without another role."""
    roles = guessed.roles
    tables = [(link.table, {link.key}) for link in roles.links.values() if link.table]
    tables.append((roles.interactions, taken))
    free = [(table, name) for table, used in tables for name in table.columns if name not in used]
    named = [(table, name.lower()) for table, _ in tables for name in table.columns]
    unread: list[str] = []
    for table, name in free:
        if table is roles.interactions and (guessed.label.of_choices or guessed.label.is_rating):
            unread.append(name)
            continue
        left_out = partial(Decided, column=name, table=table.path.name)
        if elsewhere := [other.path.name for other, found in named if found == name.lower() and other is not table]:
            decided = left_out(why=f"{elsewhere[0]} has a column of this name, too: rename one of them to use it")
        elif name.lower() == LABEL:
            decided = left_out(why=f"a feature cannot be called {LABEL!r}: rename it to use it")
        else:
            decided = decide_on(table.columns[name], table)
        (guessed.features if decided.kind else guessed.left_out).append(decided)
    if unread:
        why = "only columns of users and items help a recommender"
        if guessed.label.is_rating:
            why = "with a rating as label, known only after the choice"
        guessed.left_out.append(Decided(column=", ".join(unread), table=roles.interactions.path.name, why=why))


_UNDONE = {"cancelled", "canceled", "refunded", "failed", "voided", "declined", "storniert"}
_UNDONE |= {f"wc-{status}" for status in _UNDONE}
"""Statuses of what was not bought in the end."""
_NUMBERED = re.compile(r"#\d+")
"""Such as `#1001`, and no colour such as `#ff00aa`."""
_FEW_KEYS = 0.01
"""Share of the keys that must be written in several ways before these are one key; for e-mail addresses one will do."""
_SEEN_AGAIN = 0.1
"""Share of the pairs of user and item on several days from which on items are recommended again."""
_DAY = 86_400_000_000


def _basket(interactions: TableProfile, keys: Collection[str]) -> str:
    """The column with the number of an order, which several rows share; "" if there is none."""
    for column in interactions.columns.values():
        is_number = is_order(column.name) or (column.values and all(map(_NUMBERED.fullmatch, column.values)))
        if is_number and column.filled > len(column.values) > 1 and not (column.name in keys or column.time_formats):
            return column.name
    return ""


def _refunds(interactions: TableProfile) -> str:
    """The column of quantities some of which are negative; "" if there is none."""
    for column in interactions.columns.values():
        is_quantity = QUANTITIES & {*words(column.name)} and column.is_complete and not column.not_numbers
        if is_quantity and column.numbers[0] < 0 < column.numbers[-1]:
            return column.name
    return ""


def _lines(
    roles: Roles, label: LabelGuess, timestamp: TimestampGuess | None, basket: str, refunds: str
) -> dict[str, list[Line]]:
    """What cleans each table, and under "" the lines of the whole config about rows and times."""
    lines = {"interactions": [*_of_rows(roles, label, basket, refunds)]}
    for role, link in roles.links.items():
        rules = [*_rule_of_keys(link, roles.interactions)]
        lines[role] = [*rules, *_duplicates(link, is_folded=bool(rules))]
    lines[""] = [timestamp.line(label)] if timestamp else []
    lines[""] += _seen_again(roles, label, timestamp, refunds) if label.of_choices and timestamp else []
    return lines


def _of_rows(roles: Roles, label: LabelGuess, basket: str, refunds: str) -> Iterator[Line]:
    table = roles.interactions
    events = table.columns[label.column].values if label.choice else {}
    if others := [event for event in events if event not in label.choice]:
        why = f"no purchase, cart or view of an item: {', '.join(others)}"
        yield Line("where", {label.column: {"is": label.choice}}, why)
    missing = {link.foreign_key: table.columns[link.foreign_key].texts[""] for link in roles.links.values()}
    if counted := [
        f"{count:,} {'row has' if count == 1 else 'rows have'} no {name}" for name, count in missing.items() if count
    ]:
        is_guest = label.of_choices and basket and roles.users and missing[roles.users.foreign_key]
        then = "; what a guest orders together is learned from, too" if is_guest else ""
        yield Line("missing_keys", "one_time" if is_guest else "drop", " and ".join(counted) + then)
    if basket and label.of_choices:
        yield Line("basket", basket, f"{len(table.columns[basket].values):,} orders in {table.shown_rows}")
    if refunds and label.of_choices:
        negative = sum(count for text, count in table.columns[refunds].values.items() if text[0] == "-")
        yield Line("refunds", refunds, f"{negative:,} rows have less than 0")
    undone = {
        column.name: {"not": texts}
        for column in table.columns.values()
        if (texts := sorted(text for text in column.values if text.lower() in _UNDONE))
    }
    if undone and label.of_choices and not others:
        counts = {text: table.columns[name].values[text] for name, one in undone.items() for text in one["not"]}
        why = "nobody kept what was in these rows"
        yield Line("where", undone, f"{why}: {', '.join(f'{count:,} {text}' for text, count in counts.items())}")


def _rule_of_keys(link: Link, interactions: TableProfile) -> Iterator[Line]:
    """The rule that makes one key of those that differ in case or spaces alone."""
    listed = link.table.columns[link.key].values if link.table else {}
    texts = {*interactions.columns[link.foreign_key].values, *listed}
    stripped = {text.strip() for text in texts}
    lowered = {text.lower() for text in stripped}
    more = len(texts) - len(lowered)
    if more and (more >= _FEW_KEYS * len(texts) or any("@" in text for text in texts)):
        rule = {"lowercase": len(lowered) < len(stripped), "strip": len(stripped) < len(texts)}
        why = f"{len(texts):,} keys are {len(lowered):,} if case and spaces around them do not count"
        yield Line("keys", {name: True for name, needed in rule.items() if needed}, why)


def _duplicates(link: Link, *, is_folded: bool) -> Iterator[Line]:
    if link.table is None:
        return
    key = folded if is_folded else key_of
    counts = Counter(map(key, link.table.columns[link.key].values.elements()))
    if repeated := [one for one, count in counts.items() if count > 1]:
        why = repeats(files_of(link.table.source), link.key, repeated, key)
        yield Line("duplicates", "drop", f"{why}; the latest or one of them is kept")


def _seen_again(roles: Roles, label: LabelGuess, timestamp: TimestampGuess, refunds: str) -> Iterator[Line]:
    """Whether what was chosen most strongly is chosen again by the same user on another day."""
    keys = [link.foreign_key for link in roles.links.values()]
    names = [*keys, timestamp.column, label.column or timestamp.column, refunds or timestamp.column]
    days = defaultdict[tuple[str, str], set[int]](set)
    rows, _ = beginning(roles.interactions, [*dict.fromkeys(names)])
    for user, item, when, event, quantity in zip(*(rows[name].to_pylist() for name in names), strict=True):
        is_strongest = not label.choice or event == label.choice[0]
        if user and item and is_strongest and not (refunds and quantity.startswith("-")):
            days[folded(user), folded(item)].add((microseconds(when, timestamp.format) or 0) // _DAY)
    again = sum(len(one) > 1 for one in days.values())
    if again and again >= _SEEN_AGAIN * len(days):
        why = f"{again:,} of {len(days):,} pairs of user and item are on several days"
        yield Line("recommend_seen", True, why)  # noqa: FBT003 - the value of a line
