"""Guesses which table has the interactions, users and items, and their key columns."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from features.values import key_of
from training.datasets.errors import GuessError
from training.datasets.guesses.profile import ColumnProfile, TableProfile

_USERS = {"user", "customer", "member", "visitor", "person", "people", "client", "reader", "viewer", "account"}
_USERS |= {"shopper", "buyer", "subscriber", "listener", "guest", "profile"}
_ITEMS = {"item", "product", "movie", "film", "article", "book", "song", "track", "ad", "offer", "sku", "video", "game"}
_KEYS = {"id", "key", "no", "number", "sku", "code"}
_NAMES = {"users": _USERS, "items": _ITEMS}
_PLURAL = re.compile(r"(?<=..)(?<![si])(?<![^k]u)s$")
"""The s of `ads` and `skus`; those of `ts`, `class`, `analysis` and `status` are no plurals'."""
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


def words(name: str) -> list[str]:
    """The words of a column's or file's name, in lower case and without a plural s."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [_PLURAL.sub("", word) for word in re.split(r"[^a-z0-9]+", apart.lower()) if word]


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
    return _likeness(users, _USERS, _ITEMS), _likeness(items, _ITEMS, _USERS)


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


def _likeness(link: Link | None, own: set[str], others: set[str]) -> float:
    """A score of how much the names fit the table's role."""
    if link is None:
        return 0.0
    file = words(link.table.path.name.split(".")[0]) if link.table else []
    said = {*file, *words(link.key), *words(link.foreign_key)}
    return float(bool(said & own)) - float(bool(said & others))
