"""Guesses which table has the interactions, the users and the items, and by which columns they refer to each other."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations, product

from training.errors import GuessError
from training.init_data.columns import LABELS, TIMES
from training.init_data.profile import ITEMS, ORDERS, TITLES, USERS, ColumnProfile, TableProfile, folded, joined, words
from training.tables.files import files_of
from training.tables.quick import repeats

_KEYS = {"id", "key", "no", "number", "sku", "code", "uid", "uuid", "email", "mail", "asin", "ean", "nr", "nummer"}
QUANTITIES = {"quantity", "qty", "unit", "count", "piece", "menge", "anzahl", "stück", "stückzahl"}
_AMOUNTS = {*QUANTITIES, "price", "amount", "total", "value", "cost", "discount", "preis", "betrag", "summe"}
_EXAMPLES = 3
_NAMES = {"users": USERS, "items": ITEMS}
_MOSTLY = 0.5
"""The least share of a table's keys that must be different, if it has some in several rows."""
_SMALL = 1e6
"""Whole numbers below it are in many columns: that they are in two says nothing of either."""
_MIN_SHARE = 0.5
"""The least share of the interactions' distinct keys that the other table must have to link the two columns."""
_MIN_SHARE_OF_USERS = 0.95
"""The least share of the interactions' users that a table of users must have: rows of the others are dropped."""
_HINTS = 3
"""The weight in `LABELS` that a word must be above to choose between tables."""
_TITLED = 0.01
_MIN_SHARE_NAMED = 0.05
"""The same where both columns are called alike."""


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
    unused: str = ""
    """The name of a table that has too few of the keys."""


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The tables by role; `others` have none."""

    interactions: TableProfile
    users: Link | None
    items: Link | None
    is_sure: bool
    """Whether a name or a title tells users from items."""
    others: tuple[TableProfile, ...] = ()

    @property
    def links(self) -> dict[str, Link]:
        """Users and items, as far as they were found."""
        return {role: link for role, link in (("users", self.users), ("items", self.items)) if link is not None}


def find_roles(profiles: Sequence[TableProfile], told: Mapping[str, TableProfile], keys: Mapping[str, str]) -> Roles:
    """The roles of the tables; `told` has the given ones, and `keys` the interactions' given columns, by role.

    Raises `GuessError` if there are several tables and none refers to another, or no table has a given column.
    """
    if len({*keys.values()}) < len(keys):
        raise GuessError(f"--user-key and --item-key name the same column, {keys['users']!r}. Give two different ones.")
    for role, name in keys.items():
        if not any(name in table.columns for table in profiles):
            listed = "; ".join(f"{table.path.name} has {', '.join(table.columns)}" for table in profiles)
            raise GuessError(f"No table has the column {name!r}, which --{role.removesuffix('s')}-key names: {listed}.")
    if not told:
        profiles = _with_orders(profiles)
    found = [roles for table in profiles for roles in _roles(table, profiles, told, keys)]
    found = [
        roles
        for roles in found
        if all(_table(roles, role) is table for role, table in told.items())
        and all(role in roles.links and roles.links[role].foreign_key == name for role, name in keys.items())
    ]
    if "interactions" not in told:
        # Only what a person did is learned from, if some table says so.
        found = [roles for roles in found if roles.users and is_person(roles.users.foreign_key)] or found
    best = max(found, key=_score, default=None)
    if best and "interactions" not in told:
        best = max(
            (roles for roles in found if _sides(roles) == _sides(best)), key=lambda one: (_says(one), _score(one))
        )
        _require_one_file(best)
    if best is None:
        raise GuessError(
            f"{_obstacle(profiles)}. The interactions need a column of user keys or one of item keys, and a table of "
            "users or items a column with each of them in one row. Correct the files, or write the dataset config by "
            "hand, starting from examples/tables/dataset.yaml."
        )
    _require_sure(best)
    users = best.users
    if users and users.table and users.table.whole and users.share < _MIN_SHARE_OF_USERS and "users" not in told:
        best = replace(best, users=replace(users, table=None, unused=users.table.path.name))
    return best


def is_order(name: str) -> bool:
    """Whether a column of this name has the numbers of orders."""
    said = set(words(name))
    return bool(said & ORDERS and (said & _KEYS or len(said) == 1))


def is_person(name: str) -> bool:
    """Whether a column of this name has the keys of people."""
    said = {*words(name)}
    return bool(said & USERS and (said & _KEYS or len(said) == 1))


def _sides(roles: Roles) -> int:
    """How many of users and items are known."""
    return len(roles.links)


def _says(roles: Roles) -> tuple[bool, bool, bool, int]:
    """What makes one of several tables of people's choices the likelier one: a catalogue or a key of items by its name,
    what came of a row, when it was, and the number of rows.
    """
    table, keys = roles.interactions, {link.foreign_key for link in roles.links.values()}
    said = {word for name in table.columns if name not in keys for word in words(name)}
    has_time = any(one.time_formats for one in table.columns.values()) or bool(TIMES & said)
    has_items = roles.items is not None and bool(ITEMS & {*words(roles.items.foreign_key)} or roles.items.table)
    return has_items, any(LABELS.get(word, 0) > _HINTS for word in said), has_time, table.rows


def _require_sure(roles: Roles) -> None:
    """Raise `GuessError` if neither a name nor a title tells users from items."""
    one, other = (link.foreign_key if link else "" for link in (roles.users, roles.items))
    if one and other and not roles.is_sure:
        answers = (f"`--user-key {user} --item-key {item}`" for user, item in ((one, other), (other, one)))
        raise GuessError(
            f"Neither a name nor a title tells which of {one} and {other} of {roles.interactions.path.name} are the "
            f"keys of users. Add {', or '.join(answers)}."
        )


def _has_title(link: Link | None) -> bool:
    """Whether its table has titles, which are texts."""
    columns = link.table.columns.values() if link and link.table else ()
    return any(TITLES & {*words(one.name)} and len(one.not_numbers) > 1 for one in columns)


def _require_one_file(roles: Roles) -> None:
    """Raise `GuessError` if another table has the columns of the interactions, such as the orders of another year."""
    one = roles.interactions
    for other in roles.others:
        if one.columns.keys() == other.columns.keys():
            raise GuessError(
                f"{one.path.name} and {other.path.name} have the same columns. If they are one table, move them into a "
                f"folder of their own in {one.path.parent}. If not, name the one to read with --interactions FILE."
            )


def _with_orders(profiles: Sequence[TableProfile]) -> list[TableProfile]:
    """The tables, where lines of orders have the columns of their order, if that alone says whose it is, and those of
    its customer, if each order has one of its own, who alone says who it was.
    """
    for lines, orders in permutations(profiles, 2):
        keys = [name for name, one in orders.columns.items() if one.is_unique and is_order(name)]
        shared = [name for name in keys if name in lines.columns and not lines.columns[name].is_unique]
        people = [name for name in orders.columns if is_person(name)]
        if not shared or not people or any(map(is_person, lines.columns)):
            continue
        found = [(orders, shared[0])]
        for table in profiles:
            if new := [name for name in people if orders.columns[name].is_unique and _is_key(table.columns.get(name))]:
                found += [(table, new[0])] if table not in (lines, orders) else []
        used = [lines, *(table for table, _ in found)]
        return [joined(lines, found), *(table for table in profiles if not any(table is one for one in used))]
    return [*profiles]


def _is_key(column: ColumnProfile | None) -> bool:
    return column is not None and column.is_unique


def _table(roles: Roles, role: str) -> TableProfile | None:
    return roles.interactions if role == "interactions" else roles.links[role].table if role in roles.links else None


def _obstacle(profiles: Sequence[TableProfile]) -> str:
    """What keeps the most similar columns of two tables from being the same keys, in a sentence without its stop."""
    columns = [(table, column) for table in profiles for column in table.columns.values()]
    alike = [
        (
            _same_name(key.name, foreign.name, table) + max(_share(foreign, key), _share(key, foreign)),
            table,
            key,
            foreign,
        )
        for (table, key), (other, foreign) in product(columns, columns)
        if table is not other
    ]
    # Of two columns with the same keys, that of users or items repeats them less.
    best = max(alike, default=None, key=lambda one: (one[0], len(one[2].values) / one[2].texts.total()))
    if best is None or best[0] < _MIN_SHARE:
        return f"No table has a column with the keys of another, among {', '.join(one.path.name for one in profiles)}"
    _, table, key, foreign = best
    if not key.is_complete:
        return f"{key.texts['']:,} of {table.shown_rows} of {table.path.name} have no {key.name}"
    if repeated := [folded(text) for text, count in key.values.items() if count > 1]:
        return f"{table.path.name} has {repeats(files_of(table.source), key.name, repeated, folded)}"
    if _share(foreign, key) >= _MIN_SHARE:
        return (
            f"Only small numbers link {foreign.name} to the {key.name} of {table.path.name}; say with --users FILE or "
            "--items FILE if the table has users or items"
        )
    here, there = (", ".join(map(repr, [*column.values][:_EXAMPLES])) for column in (key, foreign))
    return f"Too few {foreign.name} such as {there} are among the {key.name} of {table.path.name} such as {here}"


def _roles(
    interactions: TableProfile,
    profiles: Sequence[TableProfile],
    told: Mapping[str, TableProfile],
    keys: Mapping[str, str],
) -> Iterator[Roles]:
    """All roles with these interactions; of several tables, one at least is linked to them, unless two are told."""
    others = [table for table in profiles if table is not interactions]
    names = [
        (key.name, foreign, table)
        for table in others
        for key in table.columns.values()
        if len(key.values) > _MOSTLY * key.filled  # else it is no table of users or items
        for foreign in interactions.columns
    ]
    alike = any(_same_name(*one) for one in names if {*words(one[1])} & (USERS | ITEMS))
    needs_link = alike and len({*told, *keys}) < 2  # noqa: PLR2004 - such as both keys
    linked = [link for table in others for link in _links(interactions, table)]
    named = {role: [*_by_name(interactions, role, keys.get(role))] for role in _NAMES}
    users, items = (
        [
            *(link for link in linked if link.table is told.get(role) or _is_likely(link, role, others=named[role])),
            *named[role],
            None,
        ]
        for role in _NAMES
    )
    for one, other in product(users, items):
        tables = [link.table for link in (one, other) if link and link.table]
        if others and not tables and (needs_link or not (one and other)):
            continue
        if one and other and one.foreign_key == other.foreign_key:
            continue
        if len(tables) == 2 and tables[0] is tables[1]:  # noqa: PLR2004 - both
            continue
        is_named = any(_likenesses(one, other)) or bool({"users", "items"} & {*told, *keys})
        is_sure = is_named or (_has_title(other) and not _has_title(one))
        unused = tuple(table for table in others if not any(table is used for used in tables))
        yield Roles(interactions=interactions, users=one, items=other, is_sure=is_sure, others=unused)


def _score(roles: Roles) -> float:
    """How well keys and names fit; where these say the same of several tables, titles tell."""
    of_titles = _TITLED * (_has_title(roles.items) - _has_title(roles.users))
    return sum(link.score for link in roles.links.values()) + sum(_likenesses(roles.users, roles.items)) + of_titles


def _likenesses(users: Link | None, items: Link | None) -> tuple[float, float]:
    return _fits(users, USERS, ITEMS), _fits(items, ITEMS, USERS)


def _by_name(interactions: TableProfile, role: str, told: str | None) -> Iterator[Link]:
    """The interactions' columns that are named like a key of this role, or are `told`; there may be no table for it.

    Of several that are, the one with fewer empty fields is more likely, then the one whose keys come back more often.
    """
    for column in interactions.columns.values():
        said = set(words(column.name))
        is_named = said & _NAMES[role] and (said & _KEYS or len(said) == 1) and column.filled > len(column.values)
        is_other = {"email", "mail"} & said and not any("@" in text for text in column.values)
        if column.name == told or (is_named and not is_other):
            filled, again = column.filled / column.texts.total(), 1 - len(column.values) / column.filled
            yield Link(foreign_key=column.name, score=0.1 * filled + 0.05 * bool(said & _KEYS) + 0.01 * again)


def _links(interactions: TableProfile, table: TableProfile) -> Iterator[Link]:
    for key in table.columns.values():
        if not key.is_complete or len(key.values) <= _MOSTLY * key.filled or _is_amount(key):
            continue
        for foreign in interactions.columns.values():
            if len(foreign.values) == 1 < foreign.filled or _is_amount(foreign):
                continue
            share, same_name = _share(foreign, key), _same_name(key.name, foreign.name, table)
            needed = _MIN_SHARE_NAMED if same_name and _is_named(foreign.name) else _MIN_SHARE
            if (share >= needed or (share and not table.whole)) and (key.is_unique or same_name):
                score = share + same_name - 0.5 * (not key.is_unique)
                yield Link(table=table, key=key.name, foreign_key=foreign.name, share=share, score=score)


def _is_amount(column: ColumnProfile) -> bool:
    """Whether a column has quantities or prices by its name, or times."""
    said = {*words(column.name)}
    return bool(column.time_formats or (_AMOUNTS & said and not _KEYS & said))


def _is_named(name: str) -> bool:
    """Whether a column is named like the keys of users or items, and not `id` alone, which every table may have."""
    said = {*words(name)}
    return bool(said & (USERS | ITEMS) or (said & _KEYS and len(said) > 1))


def _is_likely(link: Link, role: str, others: Sequence[Link]) -> bool:
    """Whether the names of two linked columns say the same, or else nothing that speaks against this role; `others` are
    named like it, and then so is this.
    """
    if link.table is None:
        return True
    sides = ({*words(link.table.path.name.split(".")[0]), *words(link.key)}, {*words(link.foreign_key)})
    own, other = (_NAMES[one] for one in (role, "items" if role == "users" else "users"))
    key = link.table.columns[link.key]
    is_named = not others or any(said & own for said in sides)
    is_same = _same_name(link.key, link.foreign_key, link.table) > 0
    is_small = not key.not_numbers and key.numbers[-1] < _SMALL
    return is_named and (is_same or all(said & own or not (is_small or said & other) for said in sides))


def _share(foreign: ColumnProfile, key: ColumnProfile) -> float:
    return len(foreign.folded & key.folded) / len(foreign.folded) if foreign.folded else 0.0


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


def reason(role: str, link: Link) -> str:
    """Why two columns are taken as the same key, or one as a key without a table."""
    if link.unused:
        return f"{link.unused} has {link.share:.0%} of these keys, and is not used: rows of the others would be dropped"
    if link.table is None:
        return "by its name; no table has a row for each"
    unique = "unique" if link.table.columns[link.key].is_unique else "mostly unique"
    lost = ", and rows of the others are dropped" if role == "users" and link.share < 1 and link.table.whole else ""
    return f"{unique} in the {link.table.shown_rows}; {link.share:.0%} of the interactions' keys are among them{lost}"
