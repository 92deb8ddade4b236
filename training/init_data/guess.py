"""Guesses the dataset config of a folder's tables, with a reason for each guess."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from features.values import key_of
from training.config import LABEL, POSITIVES, Label
from training.errors import GuessError
from training.init_data.columns import (
    Feature,
    LabelGuess,
    LeftOut,
    TimestampGuess,
    guess_feature,
    guess_label,
    guess_timestamp,
)
from training.init_data.profile import ColumnProfile, TableProfile, profile, words
from training.tables.files import files_of, is_hidden, is_no_table, is_table, listed_suffixes
from training.tables.quick import SAMPLE_CHARACTERS
from training.tables.texts import Beginning
from training.tables.typed import is_click

_USERS = {"user", "customer", "member", "visitor", "person", "people", "client", "reader", "viewer", "account"}
_USERS |= {"shopper", "buyer", "subscriber", "listener", "guest", "profile"}
_ITEMS = {"item", "product", "movie", "film", "article", "book", "song", "track", "ad", "offer", "sku", "video", "game"}
_KEYS = {"id", "key", "no", "number", "sku", "code"}
_NAMES = {"users": _USERS, "items": _ITEMS}
_MIN_SHARE = 0.5
"""The least share of the interactions' distinct keys that the other table must have to link the two columns."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """A column of the interactions with keys, and the table with a row for each, if there is one.

    `share` is that of the column's values with a row in the table.
    """

    foreign_key: str
    score: float
    table: TableProfile | None = None
    key: str = ""
    share: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The tables by role; `is_sure` is false if users and items may be swapped. `others` have none."""

    interactions: TableProfile
    users: Link | None
    items: Link | None
    is_sure: bool
    others: tuple[TableProfile, ...] = ()

    @property
    def links(self) -> dict[str, Link]:
        """Users and items, as far as they were found."""
        return {role: link for role, link in (("users", self.users), ("items", self.items)) if link is not None}


def find_roles(profiles: Sequence[TableProfile], told: Mapping[str, TableProfile]) -> Roles:
    """The roles of the tables; `told` has the given ones, by role.

    Raises `GuessError` if there are several tables and none refers to another.
    """
    found = [roles for table in profiles for roles in _roles(table, profiles, told)]
    found = [roles for roles in found if all(_table(roles, role) is table for role, table in told.items())]
    if not found:
        names = ", ".join(one.path.name for one in profiles)
        raise GuessError(
            f"No table has a column with the keys of another, among {names}. The interactions need a column of user "
            "keys or one of item keys, and a table of users or items a column in which each is unique. "
            "Correct the files, or write the dataset config by hand, starting from examples/tables/dataset.yaml."
        )
    return max(found, key=_score)


def _table(roles: Roles, role: str) -> TableProfile | None:
    return roles.interactions if role == "interactions" else roles.links[role].table if role in roles.links else None


def _roles(
    interactions: TableProfile, profiles: Sequence[TableProfile], told: Mapping[str, TableProfile]
) -> Iterator[Roles]:
    """All roles with these interactions; of several tables, one at least must be linked to them."""
    others = [table for table in profiles if table is not interactions]
    linked = [link for table in others for link in _links(interactions, table)]
    users, items = ([*linked, *_by_name(interactions, role), None] for role in ("users", "items"))
    for one, other in product(users, items):
        tables = [link.table for link in (one, other) if link and link.table]
        if (others and not tables) or (one and other and one.foreign_key == other.foreign_key):
            continue
        if len(tables) == 2 and tables[0] is tables[1]:  # noqa: PLR2004 - both
            continue
        is_sure = any(_likenesses(one, other)) or bool({"users", "items"} & set(told))
        unused = tuple(table for table in others if not any(table is used for used in tables))
        yield Roles(interactions=interactions, users=one, items=other, is_sure=is_sure, others=unused)


def _score(roles: Roles) -> float:
    return sum(link.score for link in roles.links.values()) + sum(_likenesses(roles.users, roles.items))


def _likenesses(users: Link | None, items: Link | None) -> tuple[float, float]:
    return _fits(users, _USERS, _ITEMS), _fits(items, _ITEMS, _USERS)


def _by_name(interactions: TableProfile, role: str) -> Iterator[Link]:
    """The interactions' columns that are named like a key of this role; there may be no table for it."""
    for column in interactions.columns.values():
        said = set(words(column.name))
        if said & _NAMES[role] and (said & _KEYS or len(said) == 1) and column.is_complete and not column.is_unique:
            yield Link(foreign_key=column.name, score=0.1)


def _links(interactions: TableProfile, table: TableProfile) -> Iterator[Link]:
    for key in table.columns.values():
        if not key.is_unique:
            continue
        known = set(map(key_of, key.values))
        for foreign in interactions.columns.values():
            share = _share(foreign, known)
            if share >= _MIN_SHARE or (share and not table.whole):
                score = share + _same_name(key.name, foreign.name, table)
                yield Link(table=table, key=key.name, foreign_key=foreign.name, share=share, score=score)


def _share(foreign: ColumnProfile, known: set[str]) -> float:
    values = set(map(key_of, foreign.values))
    return len(values & known) / len(values) if values else 0.0


def _same_name(key: str, foreign: str, table: TableProfile) -> float:
    """A score of how much two columns' names match: `id` in users.csv is `user_id` elsewhere."""
    if key == foreign:
        return 2.0
    if words(key) == words(foreign):
        return 1.8
    entity = {*words(table.path.name.split(".")[0]), *words(key)} - {"id", "key"}
    return 1.5 if entity & set(words(foreign)) and {"id", "key"} & set(words(key)) else 0.0


def _fits(link: Link | None, own: set[str], others: set[str]) -> float:
    """A score of how much the names fit the table's role."""
    if link is None:
        return 0.0
    file = words(link.table.path.name.split(".")[0]) if link.table else []
    said = {*file, *words(link.key), *words(link.foreign_key)}
    return float(bool(said & own)) - float(bool(said & others))


_SESSIONS = {"session", "visit", "impression"}
_MIN_BOTH = 0.1
"""The least share of the rows with a positive event that must have a negative one too."""


@dataclass(frozen=True, kw_only=True)
class RowsGuess:
    """The columns of `one_row_per`, and why."""

    columns: tuple[str, ...]
    why: str


def guess_rows(table: TableProfile, keys: Sequence[str], guessed: LabelGuess) -> RowsGuess | None:
    """The columns that bring a row's events together; None if the label is no list of events, or events stay apart.

    `keys` are the columns with users and items, which it takes both.
    """
    label = Label.model_validate({"column": guessed.column, **guessed.rule} if guessed.column else POSITIVES)
    if not label.events or len(keys) < 2:  # noqa: PLR2004 - users and items
        return None
    sessions = [one.name for one in table.columns.values() if _SESSIONS & {*words(one.name)} and one.is_complete]
    columns = (*keys, *[name for name in sessions if name not in keys][:1])
    events = defaultdict[tuple[str, ...], set[bool | None]](set)
    for chunk in Beginning(files_of(table.source), [*columns, label.column], SAMPLE_CHARACTERS):
        fields = (texts.to_pylist() for texts in chunk.texts().values())
        for *key, text in zip(*fields, strict=True):
            events[tuple(key)].add(is_click(text, label))
    positive = [found for found in events.values() if True in found]
    both = sum(False in found for found in positive)
    if both < _MIN_BOTH * len(positive):
        return None
    return RowsGuess(
        columns=columns, why=f"{both:,} of {len(positive):,} with a positive event have a negative one too"
    )


ROLES = ("interactions", "users", "items")
_WORTH = 0.005
"""The least AUC that the keys must gain; on 20,000 held-out rows its standard error is about 0.004."""
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

    @property
    def are_worth_it(self) -> bool:
        """Whether the keys gain enough to justify a model that is weaker for new users and items."""
        return self.keys + sum(self.crosses.values()) + sum(self.factors.values()) >= _WORTH


@dataclass(frozen=True, kw_only=True)
class Guess:
    """A guessed config: the roles of the tables, the label, and what to do with every other column."""

    roles: Roles
    label: LabelGuess
    timestamp: TimestampGuess | None
    rows: RowsGuess | None = None
    features: list[Feature] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    ignored: tuple[str, ...] = ()
    """The names of other files in the folder."""
    gains: Gains | None = None
    """What the keys and what is made of them gain as features; None if it was not tried."""

    @property
    def keys(self) -> dict[str, float]:
        """The keys of users and items that come back often enough to be features, and how often on average."""
        columns = self.roles.interactions.columns
        uses = {link.foreign_key: columns[link.foreign_key] for link in self.roles.links.values()}
        often = {name: column.filled / max(1, len(column.values)) for name, column in uses.items()}
        return {name: mean for name, mean in often.items() if mean >= _COME_BACK}

    @property
    def has_keys(self) -> bool:
        """Whether the keys are features of a click model: they were worth it, or there is nothing else."""
        if not self.label.column:
            return False
        return bool(self.keys) and (not self.features or (self.gains is not None and self.gains.are_worth_it))


def guess(folder: Path, told: Mapping[str, Path], label: str | None = None) -> Guess:
    """The config of the tables in `folder`; `told` has files with a given role, `label` is a given label column.

    Raises `GuessError` if the roles can't be guessed, and a `DatasetError` for a file that can't be read.
    """
    files, ignored = _files(folder, told)
    profiles = {path: profile(path) for path in files}
    roles = find_roles(list(profiles.values()), {role: profiles[path.resolve()] for role, path in told.items()})
    keys = {link.foreign_key for link in roles.links.values()}
    others = [one for name, one in roles.interactions.columns.items() if name not in keys]
    found = guess_label(roles.interactions, others, label)
    timestamp, why_not = guess_timestamp([one for one in others if one.name != found.column])
    rows = guess_rows(roles.interactions, [link.foreign_key for link in roles.links.values()], found)
    taken = keys | {found.column} | ({timestamp.column} if timestamp else set()) | {*(rows.columns if rows else ())}
    guessed = Guess(roles=roles, label=found, timestamp=timestamp, rows=rows, left_out=why_not, ignored=ignored)
    _add_features(guessed, taken | {one.column for one in why_not})
    if not guessed.features and not guessed.keys and found.column:
        unused = "".join(f" {one.column} {one.why}." for one in guessed.left_out)
        raise GuessError(
            f"No column of {folder} looks like a feature.{unused} Users and items don't come back often enough either. "
            "Write the dataset config by hand, starting from examples/tables/dataset.yaml."
        )
    return guessed


def _files(folder: Path, told: Mapping[str, Path]) -> tuple[list[Path], tuple[str, ...]]:
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
    if partitions := [path.name for path in tables if "=" in path.name and path.is_dir()]:
        raise GuessError(
            f"{folder} is itself a table, of partitions such as {partitions[0]}. Give the folder in which it is."
        )
    files = sorted(known if len(known) == len(ROLES) else {*tables, *known})
    others = tuple(
        path.name
        for path in found
        if path.is_file() and path not in files and not is_hidden(path.name) and path.suffix not in {".yaml", ".md"}
    )
    if files:
        return files, others
    ignored = f" Ignored were {', '.join(others[:10])}: rename them if they are tables." if others else ""
    raise GuessError(
        f"{folder} has no table, a file that ends in {listed_suffixes()}, or a folder of such files.{ignored} Name "
        "tables that are elsewhere: --interactions FILE, and --users FILE and --items FILE if there are such tables."
    )


def _add_features(guessed: Guess, taken: set[str]) -> None:
    """Decide about each column without another role."""
    roles = guessed.roles
    tables = [(link.table, {link.key}) for link in roles.links.values() if link.table]
    tables.append((roles.interactions, taken))
    free = [(table, name) for table, used in tables for name in table.columns if name not in used]
    folded = [name.lower() for _, name in free]
    for table, name in free:
        if folded.count(name.lower()) > 1:
            why = "is in several tables: rename all but one of them to use it"
        elif name.lower() == LABEL:
            why = f"a feature cannot be called {LABEL!r}: rename it to use it"
        else:
            decided = guess_feature(table.columns[name], table)
            if isinstance(decided, Feature):
                guessed.features.append(decided)
            else:
                guessed.left_out.append(decided)
            continue
        guessed.left_out.append(LeftOut(column=name, table=table.path.name, why=why))


def reason(link: Link) -> str:
    """Why two columns are taken as the same key, or one as a key without a table."""
    if link.table is None:
        return "by its name; no table has a row for each"
    return f"unique in the {link.table.shown_rows}; {link.share:.0%} of the interactions' keys are among them"
