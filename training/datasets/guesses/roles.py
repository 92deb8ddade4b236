"""Guesses which of three tables has the interactions, users and items, and their key columns."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from training.datasets.described.fields import key_of
from training.datasets.errors import GuessError
from training.datasets.guesses.profile import ColumnProfile, TableProfile

_USERS = {"user", "customer", "member", "visitor", "person", "people", "client", "reader", "viewer", "account"}
_ITEMS = {"item", "product", "movie", "film", "article", "book", "song", "track", "ad", "offer", "sku", "video", "game"}
_MIN_SHARE = 0.5
"""The least share of the interactions' distinct keys that the other table must have to link the two columns."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """A table's key, the interactions' column that refers to it, and the share of that column's values with a row."""

    table: TableProfile
    key: str
    foreign_key: str
    share: float
    score: float


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The three tables by role; `is_sure` is false if users and items may be swapped."""

    interactions: TableProfile
    users: Link
    items: Link
    is_sure: bool


def find_roles(profiles: Sequence[TableProfile], told: Mapping[str, TableProfile]) -> Roles:
    """The roles of three tables; `told` has the given ones, by role.

    Raises `GuessError` if no table refers to the two others.
    """
    found: list[tuple[float, Roles]] = []
    for interactions, first, second in permutations(profiles):
        if told.get("interactions", interactions) is not interactions:
            continue
        for users, items in _linked(interactions, first, second):
            scores = _likeness(users, _USERS, _ITEMS), _likeness(items, _ITEMS, _USERS)
            is_sure = any(scores) or bool({"users", "items"} & set(told))
            roles = Roles(interactions=interactions, users=users, items=items, is_sure=is_sure)
            agrees = all(
                told.get(role, link.table) is link.table for role, link in (("users", users), ("items", items))
            )
            if agrees:
                found.append((users.score + items.score + sum(scores), roles))
    if not found:
        names = ", ".join(one.path.name for one in profiles)
        raise GuessError(
            f"No table has two columns with the keys of the two others, among {names}. The interactions need a column "
            "of user keys and one of item keys, and the users' and items' tables a column in which each is unique. "
            "Correct the files, or write the dataset config by hand, starting from examples/tables/dataset.yaml."
        )
    return max(found, key=lambda pair: pair[0])[1]


def words(name: str) -> list[str]:
    """The words of a column's or file's name, in lower case and without a plural s."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word.removesuffix("s") for word in re.split(r"[^a-z0-9]+", apart.lower()) if word]


def _linked(interactions: TableProfile, first: TableProfile, second: TableProfile) -> list[tuple[Link, Link]]:
    best = []
    for one in _links(interactions, first):
        best += [(one, other) for other in _links(interactions, second) if other.foreign_key != one.foreign_key]
    return best


def _links(interactions: TableProfile, table: TableProfile) -> list[Link]:
    found = []
    for key in table.columns.values():
        if not key.is_unique:
            continue
        known = set(map(key_of, key.values))
        for foreign in interactions.columns.values():
            share = _share(foreign, known)
            if share >= _MIN_SHARE or (share and not table.whole):
                score = share + _same_name(key.name, foreign.name, table)
                found.append(Link(table=table, key=key.name, foreign_key=foreign.name, share=share, score=score))
    return found


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


def _likeness(link: Link, own: set[str], others: set[str]) -> float:
    """A score of how much the names fit the table's role."""
    said = {*words(link.table.path.name.split(".")[0]), *words(link.key), *words(link.foreign_key)}
    return float(bool(said & own)) - float(bool(said & others))
