"""Request types, created from the bundle's schema, so that msgspec decodes and checks a record in one pass.

Columns can have any name, so the types' attributes are numbered, and only their JSON names are the schema's.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from features.columns import Field, Integer, Number
from features.errors import PersonalizationError
from features.schema import Schema
from scoring.model.diagnosis import WRONG, decoded, rejection_for
from scoring.model.stored import ID_FIELDS, ITEM, USER, Lookups, filled
from scoring.request_errors import Refusal

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

Value = float | str | msgspec.UnsetType | None
Values = tuple[Value, ...]
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
        user = record | str | int if self._by_id else record
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
        return self._filled([msgspec.structs.astuple(decoded(self._record, body, KNOWN))], "", lookups)[0]

    def read_rank(self, body: bytes, lookups: Lookups = NOTHING) -> tuple[list[Values], list[RankId], int | None]:
        """Each item's values of a `POST /rank`, merged with the user's, its ID, and how many to return.

        Raises `Rejection`.
        """
        request: Any = decoded(self._rank, body, KNOWN_TO_RANK)
        items = [msgspec.structs.astuple(item) for item in request.items]
        ids = [item[self._id_at] for item in items]
        if not self._has_own_id:
            items = [item[:-1] for item in items]
        top = None if request.top in (None, msgspec.UNSET) else int(request.top)
        if isinstance(request.user, str | int):
            shared: list[tuple[int, Value]] = [(self._names.index(USER), request.user)]
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


def _joined(shared: Sequence[tuple[int, Value]], item: Values) -> Values:
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
