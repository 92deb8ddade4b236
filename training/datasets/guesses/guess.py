"""Guesses the dataset config of a folder's tables, with a reason for each guess."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from training.datasets.described.files import SUFFIXES, is_hidden, is_table
from training.datasets.described.spec import LABEL
from training.datasets.errors import GuessError
from training.datasets.guesses.guess_columns import Feature, LeftOut, guess_feature
from training.datasets.guesses.guess_label import LabelGuess, TimestampGuess, guess_label, guess_timestamp
from training.datasets.guesses.guess_rows import RowsGuess, guess_rows
from training.datasets.guesses.profile import profile
from training.datasets.guesses.roles import Link, Roles, find_roles

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
    formats = ", ".join(SUFFIXES)
    more = f" Files with other names are ignored: {', '.join(others[:10])}." if others else ""
    raise GuessError(
        f"{folder} has no table, a file that ends in {formats}, or a folder of such files.{more} Say which are meant: "
        "--interactions FILE, and --users FILE and --items FILE if there are such tables."
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
