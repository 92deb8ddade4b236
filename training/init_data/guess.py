"""Guesses the dataset config of a folder's tables, with a reason for each guess."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from training.config import LABEL, Label
from training.errors import GuessError
from training.init_data.cleaning import guess_basket, guess_cleaning, guess_refunds
from training.init_data.columns import (
    Decided,
    LabelGuess,
    Line,
    TimestampGuess,
    decide_on,
    guess_label,
    guess_timestamp,
)
from training.init_data.profile import TableProfile, profile, words
from training.init_data.roles import Roles, find_roles
from training.tables.files import files_of, is_hidden, is_no_table, is_table, listed_suffixes
from training.tables.quick import SAMPLE_CHARACTERS
from training.tables.texts import Beginning
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
    for chunk in Beginning(files_of(table.source), [*columns, label.column], SAMPLE_CHARACTERS):
        fields = (texts.to_pylist() for texts in chunk.texts().values())
        for *key, text in zip(*fields, strict=True):
            events[tuple(key)].add(is_click(text, label))
    positive = [found for found in events.values() if True in found]
    both = sum(False in found for found in positive)
    if both < _MIN_BOTH * len(positive):
        return None
    why = f"{both:,} of {len(positive):,} with a positive event have a negative one too"
    return Line("one_row_per", columns, why)


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
    rows: Line | None = None
    cleaning: Mapping[str, Sequence[Line]] = field(default_factory=dict)
    """By table, and under "" of the whole config."""
    features: list[Decided] = field(default_factory=list)
    left_out: list[Decided] = field(default_factory=list)
    ignored: tuple[str, ...] = ()
    """The names of other files in the folder."""
    gains: Gains | None = None
    """What the keys and what is made of them gain as features; None if it was not tried."""

    @property
    def keys(self) -> dict[str, float]:
        """The keys of users and items that come back often enough to be features, and how often on average; none that
        have a rule.
        """
        columns, links = self.roles.interactions.columns, self.roles.links
        ruled = {role for role in links if any(line.name == "keys" for line in self.cleaning.get(role, ()))}
        uses = {link.foreign_key: columns[link.foreign_key] for role, link in links.items() if role not in ruled}
        often = {name: column.filled / max(1, len(column.values)) for name, column in uses.items()}
        return {name: mean for name, mean in often.items() if mean >= _COME_BACK}

    @property
    def has_keys(self) -> bool:
        """Whether the keys are features of a click model: they were worth it, or there is nothing else."""
        if self.label.of_choices or not self.keys:
            return False
        return not self.features or (self.gains is not None and self.gains.are_worth_it)


def guess(
    folder: Path, told: Mapping[str, Path], label: str | None = None, keys: Mapping[str, str] | None = None
) -> Guess:
    """The config of the tables in `folder`; `told` has files with a given role, `label` is a given label column.

    `keys` has given columns of the interactions, by role. Raises `GuessError` if the roles can't be guessed, and a
    `DatasetError` for a file that can't be read.
    """
    files, ignored = _files(folder, told)
    profiles = {path: profile(path) for path in files}
    roles = find_roles(
        list(profiles.values()), {role: profiles[path.resolve()] for role, path in told.items()}, keys or {}
    )
    table, own = roles.interactions, {link.foreign_key for link in roles.links.values()}
    basket, refunds = guess_basket(table, own), guess_refunds(table)
    others = [one for name, one in table.columns.items() if name not in own | {basket}]
    recommends = roles.users is not None and roles.items is not None
    found = guess_label(table, others, label, recommends=recommends, are_orders=bool(basket))
    timestamp, why_not = guess_timestamp([one for one in others if one.name != found.column])
    rows = guess_rows(table, [link.foreign_key for link in roles.links.values()], found)
    taken = own | {found.column} | ({timestamp.column} if timestamp else set()) | {*(rows.value if rows else ())}
    cleaning = guess_cleaning(roles, found, timestamp, basket, refunds)
    guessed = Guess(
        roles=roles, label=found, timestamp=timestamp, rows=rows, cleaning=cleaning, left_out=why_not, ignored=ignored
    )
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
        if path.is_file() and path not in files and not is_hidden(path.name) and path.suffix not in _OTHERS
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
    unread: list[str] = []
    for table, name in free:
        if folded.count(name.lower()) > 1:
            why = "is in several tables: rename all but one of them to use it"
        elif name.lower() == LABEL:
            why = f"a feature cannot be called {LABEL!r}: rename it to use it"
        elif guessed.label.of_choices and table is roles.interactions:
            unread.append(name)
            continue
        else:
            decided = decide_on(table.columns[name], table)
            (guessed.features if decided.kind else guessed.left_out).append(decided)
            continue
        guessed.left_out.append(Decided(column=name, table=table.path.name, why=why))
    if unread:
        why = "only columns of users and items help a recommender"
        guessed.left_out.append(Decided(column=", ".join(unread), table=roles.interactions.path.name, why=why))
