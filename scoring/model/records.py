"""Records of requests, and what is stored of users and items: the open snapshots, and the columns that fill in those
that a record lacks.

The types of records are created from the bundle's schema, so that msgspec decodes and checks a record in one pass.
Columns can have any name, so the types' attributes are numbered, and only their JSON names are the schema's. The
ranking of candidates reads columns of users, which a `POST /recommend` may give as its `context`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from features.columns import Field, Integer, Number, Whole
from features.errors import PersonalizationError
from features.schema import Schema
from recommend.catalogue import Catalogue, Comparison, KnownItem
from recommend.columns import Value, stated
from recommend.forgotten import NOBODY, Forgotten
from recommend.histories import Histories, Stored
from recommend.stored import SnapshotError
from scoring.model.diagnosis import COUNTED, LONGEST_NAME, WRONG, decoded, rejection_for, require_few
from scoring.request_errors import Refusal

USER, ITEM = "user", "item"
Key = str | Whole | msgspec.UnsetType
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


RECORDS = "records"

NOTHING = Lookups()

ABSENT_NUMBER = float("nan")
"""The value of a number or time that is not in the body: a NaN, recognized by identity. Null is None instead."""

ID = "id"
RankId = str | float | msgspec.UnsetType | None
ID_FIELD = (
    ID,
    Annotated[str | Integer, msgspec.Meta(description="The caller's ID, which the response repeats.")]
    | msgspec.UnsetType,
    msgspec.UNSET,
)

KNOWN = "A record has the model's columns, which /openapi.json lists."
"""The hint of a request with an unknown field."""
KNOWN_TO_RANK = (
    "A ranking has `user`, `items` and `top`; user and items have the model's columns, which /openapi.json lists, and "
    "items an `id`."
)

Given = float | str | msgspec.UnsetType | None
Values = tuple[Given, ...]
"""A record's values in the order of `Schema.fields`.

Null is None; an absent number or time is `ABSENT_NUMBER`, an absent category UNSET. All of them are missing values.
"""


class RecordTypeError(PersonalizationError):
    """A column has the same name as one of the service's own fields."""


class RequestTypes:
    """The types and decoders of request bodies for one schema."""

    def __init__(self, schema: Schema, *, max_records: int, by_id: bool = False) -> None:
        """With `by_id`, records may name a stored user and item, unless columns have the names of these fields.

        Raises `RecordTypeError` if a column has the name of the field for a batch.
        """
        if RECORDS in schema.features:
            raise RecordTypeError(
                f"The dataset has a feature named `{RECORDS}`, which is the field of a batch of records in a request. "
                "Rename the column and train the model again."
            )
        names = {f"f{field.at}": field.name for field in schema.fields}
        self._by_id = by_id and not set(schema.features) & {USER, ITEM}
        fields = [
            *((attribute, *_field(field)) for attribute, field in zip(names, schema.fields, strict=True)),
            *(ID_FIELDS if self._by_id else ()),
        ]
        self._schema = schema
        self._names = (*schema.features, USER, ITEM)
        self._most = {b"{": max_records + 2, b",": 2 * max_records * len(self._names) + 1_000}
        """Of objects a ranking has the most; of entries no client sends half as many, unless it repeats fields."""
        self._has_own_id = ID in schema.features
        """Whether an item's ID is one of the model's columns."""
        self._id_at = schema.features.index(ID) if self._has_own_id else -1
        record = self.record = _struct("Record", fields, names, "A record: every feature is optional.")
        self._absent = msgspec.structs.astuple(record())
        several = _several(record, max_records)
        self.batch = _struct("Batch", [(RECORDS, several)], {}, "Several records at once.")
        # JSON Schema counts 3.0 as an integer, so the service does, too.
        count = Annotated[float, msgspec.Meta(ge=1, multiple_of=1, description="How many items to return.")]
        item = record if self._has_own_id else _struct("RankItem", [*fields, ID_FIELD], names, "An item to rank.")
        user = record | str | Whole if self._by_id else record
        said = "Features that all items share" + (", or the user's key, as in the tables." if self._by_id else ".")
        items = _several(item, max_records)
        self.rank = _struct(
            "RankRequest",
            [
                (USER, Annotated[user, msgspec.Meta(description=said)]),
                ("items", Annotated[items, msgspec.Meta(description="The features of each item to rank.")]),
                ("top", count | msgspec.UnsetType | None, msgspec.UNSET),
            ],
            {},
            "A user and the items to rank for them. An item's own fields override the user's.",
        )
        either = _struct("Either", [*fields, (RECORDS, several | msgspec.UnsetType, msgspec.UNSET)], names, "")
        self._record, self._either, self._rank = (
            msgspec.json.Decoder(kind, dec_hook=_parsed).decode for kind in (record, either, self.rank)
        )

    def read_score(self, body: bytes, lookups: Lookups = NOTHING) -> tuple[list[Values], bool]:
        """The records of a `POST /score`, and whether they came as a batch; raises a `Rejection`."""
        if len(body) > COUNTED:
            require_few(body, self._most)
        try:  # not by `decoded`, whose call takes a third of a percent of a score's time
            values = msgspec.structs.astuple(self._either(body))
        except WRONG as error:
            raise rejection_for(error, body, KNOWN) from error
        records = values[-1]
        if records is msgspec.UNSET:
            return self._filled([values[:-1]], "", lookups), False
        if values[:-1] != self._absent:
            field = next(name for name, value in zip(self._names, values, strict=False) if not _is_absent(value))
            raise Refusal.WRONG_TYPE(f"The field {field} stands beside `{RECORDS}`; put it into a record.", field=field)
        return self._filled([msgspec.structs.astuple(record) for record in records], RECORDS, lookups), True

    def read_record(self, body: bytes, lookups: Lookups = NOTHING) -> Values:
        """The one record of a `POST /explain`; raises a `Rejection`."""
        return self._filled([msgspec.structs.astuple(decoded(self._record, body, KNOWN, self._most))], "", lookups)[0]

    def read_rank(self, body: bytes, lookups: Lookups = NOTHING) -> tuple[list[Values], list[RankId], int | None]:
        """Each item's values of a `POST /rank`, merged with the user's, its ID, and how many to return.

        Raises `Rejection`.
        """
        request: Any = decoded(self._rank, body, KNOWN_TO_RANK, self._most)
        items = [msgspec.structs.astuple(item) for item in request.items]
        ids = [item[self._id_at] for item in items]
        if not self._has_own_id:
            items = [item[:-1] for item in items]
        top = None if request.top in (None, msgspec.UNSET) else int(request.top)
        if isinstance(request.user, str | int | float):
            shared: list[tuple[int, Given]] = [(self._names.index(USER), request.user)]
        else:
            user = msgspec.structs.astuple(request.user)
            shared = [(index, value) for index, value in enumerate(user) if not _is_absent(value)]
        rows = self._filled([_joined(shared, item) for item in items], "items", lookups)
        return rows, [msgspec.UNSET if _is_absent(one) else one for one in ids], top

    def _filled(self, rows: list[Values], place: str, lookups: Lookups) -> list[Values]:
        """The rows with what is stored about users and items that they name, if they can."""
        if not self._by_id:
            return rows
        if all(row[-2] is msgspec.UNSET and row[-1] is msgspec.UNSET for row in rows):
            return [row[:-2] for row in rows]
        places = (f"{place}[{at}].item" if place else "item" for at in range(len(rows)))
        return filled(rows, places, self._schema, lookups)


def _is_absent(value: object) -> bool:
    return value is ABSENT_NUMBER or value is msgspec.UNSET


def _joined(shared: Sequence[tuple[int, Given]], item: Values) -> Values:
    """An item's values, filled up with those that are `shared`, by index."""
    own = list(item)
    for index, value in shared:
        if _is_absent(own[index]):
            own[index] = value
    return tuple(own)


def _several(record: type[msgspec.Struct], limit: int) -> Any:  # noqa: ANN401 - a type made from a value has no type
    return Annotated[list[record], msgspec.Meta(min_length=1, max_length=limit)]  # type: ignore[valid-type] # made here


def _field(field: Field) -> tuple[Any, Any]:
    """A field's type, and its value if it is absent."""
    kind, description, _ = field.asked
    value: Any = Annotated[kind | None, msgspec.Meta(description=description)]
    return (value, ABSENT_NUMBER) if isinstance(field, Number) else (value | msgspec.UnsetType, msgspec.UNSET)


def _parsed(kind: Any, value: object) -> object:  # noqa: ANN401 - a type made from values has no type
    """The value of a kind of column with its own JSON format. Its `ValueError` becomes the rejection's reason."""
    return kind.from_json(value)


def _struct(name: str, fields: list[Any], names: dict[str, str], description: str) -> type[msgspec.Struct]:
    return msgspec.defstruct(
        name,
        fields,
        rename=names,
        forbid_unknown_fields=True,
        frozen=True,
        gc=False,
        namespace={"__doc__": description},
    )
