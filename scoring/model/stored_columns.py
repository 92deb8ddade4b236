"""Records that name a user or an item by id: their stored columns fill in what a record does not give."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import msgspec

from features.columns import Field, Number
from features.keys import key_of
from recommend.catalogue import ItemTexts
from recommend.columns import Value, from_text
from recommend.stored import SnapshotError
from scoring.model.diagnosis import LONGEST_NAME
from scoring.model.lookups import Lookups
from scoring.request_errors import Unavailable, UnknownItem

USER, ITEM = "user", "item"
Key = str | int | msgspec.UnsetType
FIELDS = [
    (name, Annotated[Key, msgspec.Meta(description=said)], msgspec.UNSET)
    for name, said in (
        (USER, "A user's key, as in the tables: their stored columns fill in those that are absent."),
        (ITEM, "An item's key, as in the tables: its columns in the catalogue fill in those that are absent."),
    )
]
"""The fields of a record that name a user and an item, after the features."""


def pairs(user: Mapping[str, Value], items: Iterable[ItemTexts], fields: Sequence[Field]) -> list[tuple[Any, ...]]:
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
    rows: Iterable[Sequence[Any]], places: Iterable[str], fields: Sequence[Field], lookups: Lookups
) -> list[tuple[Any, ...]]:
    """The values of `fields` in each row, which ends with the values of `FIELDS`.

    Given values go before stored ones, null is one, too. Nothing is stored about an unknown user. Raises `UnknownItem`
    with the row's field by `places`, and `Unavailable` without a catalogue or if a snapshot was altered.
    """
    users: dict[str, Mapping[str, str]] = {}
    found = []
    try:
        for (*values, user, item), place in zip(rows, places, strict=True):
            texts: dict[str, str] = {}
            if user is not msgspec.UNSET:
                key = key_of(user)
                if key not in users:
                    users[key] = lookups.texts(key, lookups.find(key))
                texts |= users[key]
            if item is not msgspec.UNSET:
                texts |= _of_item(key_of(item), place, lookups)
            found.append(tuple(map(_value, values, fields, (texts.get(field.name) for field in fields))))
    except SnapshotError as error:
        raise Unavailable(f"Stored columns cannot be read: {error}") from error
    return found


def _value(value: Any, field: Field, stored: str | None) -> Any:  # noqa: ANN401 - whatever the field holds
    is_absent = value is msgspec.UNSET or (isinstance(field, Number) and value != value)  # noqa: PLR0124 - a NaN
    return value if stored is None or not is_absent else from_text(stored, field)


def _of_item(key: str, place: str, lookups: Lookups) -> Mapping[str, str]:
    catalogue = lookups.catalogue
    if catalogue is None:
        raise Unavailable("The service has no catalogue yet, or can't read it; its log says why.")
    number = catalogue.find(key)
    if number < 0:
        raise UnknownItem(f"The catalogue has no item {key[:LONGEST_NAME]!r}, or it was withdrawn.", field=place)
    return catalogue.item(key, number).texts
