"""What is stored of users and items, by key: the open snapshots, and the columns that a request reads from them.

Records that name a user or an item by id get its stored columns for what they do not give. The ranking of candidates
reads columns of users, which a `POST /recommend` may give as its `context`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from features.columns import Field, Number
from features.schema import Schema
from recommend.catalogue import Catalogue, Comparison, KnownItem
from recommend.columns import Value, stated
from recommend.forgotten import NOBODY, Forgotten
from recommend.histories import Histories, Stored
from recommend.stored import SnapshotError
from scoring.model.diagnosis import LONGEST_NAME
from scoring.request_errors import Refusal

USER, ITEM = "user", "item"
Key = str | int | msgspec.UnsetType
ID_FIELDS = [
    (name, Annotated[Key, msgspec.Meta(description=said)], msgspec.UNSET)
    for name, said in (
        (USER, "A user's key, as in the tables: their stored columns fill in those that are absent."),
        (ITEM, "An item's key, as in the tables: its columns in the catalogue fill in those that are absent."),
    )
]
"""The fields of a record that name a user and an item, after the features."""

MOST_LISTED = 20


def _raised(error: SnapshotError) -> None:
    raise error


@dataclass(frozen=True, kw_only=True)
class Lookups:
    """The open snapshots, and the catalogue's new items."""

    histories: Histories | None = None
    forgotten: Forgotten = NOBODY
    """Users of whom nothing is told, though the histories may still have them."""
    catalogue: Catalogue | None = None
    new: Comparison | None = None
    places: int = 0
    """How many of the last places new items may take, unless a request says otherwise."""
    complain: Callable[[SnapshotError], None] = _raised
    """Gets what is wrong with a snapshot that was altered, without which a recommendation can be made."""

    def find(self, user: str) -> Stored | None:
        """What is stored of a user, None if they are unknown or were forgotten; raises `SnapshotError`."""
        return None if self.histories is None or user in self.forgotten else self.histories.find(user)

    def texts(self, user: str, stored: Stored | None) -> dict[str, str]:
        """What a record says of a user of whom this is `stored`: the key may be a column, too.

        A record without the key is encoded like one with a key that training has never seen. So one who was forgotten
        is not found in the model either.
        """
        if self.histories is None or user in self.forgotten:
            return {}
        return {self.histories.user_column: user, **({} if stored is None else stored.columns)}


def pairs(user: Mapping[str, Value], items: Iterable[KnownItem], fields: Sequence[Field]) -> list[tuple[Any, ...]]:
    """The values of `fields` in the records of a user with each of the items."""
    known = [user.get(field.name) for field in fields]
    rows = []
    for item in items:
        row = known.copy()
        for place, value in item.values:
            row[place] = value
        rows.append(tuple(row))
    return rows


def filled(
    rows: Iterable[Sequence[Any]], places: Iterable[str], schema: Schema, lookups: Lookups
) -> list[tuple[Any, ...]]:
    """The values of the schema's fields in each row, which ends with the values of `ID_FIELDS`.

    Given values go before stored ones, null is one, too. Nothing is stored about an unknown user. Raises `UNKNOWN_ITEM`
    with the row's field by `places`, `UNAVAILABLE` without a catalogue, and `SnapshotError` if one was altered.
    """
    users: dict[str, Mapping[str, Value]] = {}
    found, fields = [], schema.fields
    for (*values, user, item), place in zip(rows, places, strict=True):
        columns: dict[str, Value] = {}
        if user is not msgspec.UNSET:
            key = schema.key("users", user)
            if key not in users:
                users[key] = read_stored(lookups.texts(key, lookups.find(key)), fields)
            columns |= users[key]
        if item is not msgspec.UNSET:
            columns |= {fields[at].name: one for at, one in _of_item(schema.key("items", item), place, lookups).values}
        found.append(tuple(map(_given_or_stored, values, fields, (columns.get(field.name) for field in fields))))
    return found


def _given_or_stored(value: Any, field: Field, stored: Value) -> Any:  # noqa: ANN401 - whatever the field holds
    is_absent = value is msgspec.UNSET or (isinstance(field, Number) and value != value)  # noqa: PLR0124 - a NaN
    return value if stored is None or not is_absent else stored


def _of_item(key: str, place: str, lookups: Lookups) -> KnownItem:
    catalogue = lookups.catalogue
    if catalogue is None:
        raise Refusal.UNAVAILABLE("The service has no catalogue yet, or can't read it; its log says why.")
    if catalogue.find(key) < 0:
        raise Refusal.UNKNOWN_ITEM(
            f"The catalogue has no item {key[:LONGEST_NAME]!r}, or it was withdrawn.", field=place
        )
    return catalogue.item(key)


def read_context(context: Mapping[str, str | float | None], columns: Sequence[Field]) -> dict[str, Value]:
    """The values by column; raises a `Rejection` for one that the ranking does not read."""
    fields, found = {field.name: field for field in columns}, {}
    for name, value in context.items():
        at = f"context.{name[:LONGEST_NAME]}"
        if (field := fields.get(name)) is None:
            known = ", ".join([*fields][:MOST_LISTED]) or "none"
            shown = name[:LONGEST_NAME]
            raise Refusal.UNKNOWN_FIELD(f"The ranking reads no column {shown!r} of users; it reads {known}.", field=at)
        found[name] = None if value is None else _from_context(value, field, at)
    return found


def read_stored(texts: Mapping[str, str], columns: Sequence[Field]) -> dict[str, Value]:
    """The same from a user's stored columns; what the ranking cannot read is missing."""
    return {field.name: stated(texts[field.name], field) for field in columns if field.name in texts}


def _from_context(value: str | float, field: Field, at: str) -> Value:
    if isinstance(field, Number):
        if isinstance(value, str):
            raise Refusal.WRONG_TYPE("The value must be a number or null.", field=at)
        try:
            return float(value)
        except OverflowError as error:
            raise Refusal.NOT_FINITE("The value is out of range.", field=at) from error
    if isinstance(value, float) and not value.is_integer():
        raise Refusal.WRONG_TYPE("The value must be a text, a whole number or null.", field=at)
    return str(int(value) if isinstance(value, float) else value)
