"""The requests' types, made from the bundle's schema: msgspec decodes and checks a record in one pass over the body.

A column may have any name, so the types' own attributes are numbered and only their JSON names are the schema's.
"""

from dataclasses import dataclass
from typing import Annotated, Any, cast

import msgspec

from features.schema import Schema
from scoring.diagnosis import find_duplicate, rejection_for
from scoring.errors import RecordTypeError
from scoring.rejections import DuplicateField, WrongType

RECORDS = "records"

Values = tuple[float | str | None, ...]
"""A record's values in the order of `Schema.features`, None for a missing one."""


@dataclass(frozen=True, kw_only=True)
class RankQuery:
    """A checked `POST /rank`: each item's values together with the user's, and how many items are asked for."""

    rows: list[Values]
    top: int | None


class RequestTypes:
    """The types of the requests' bodies for one schema, with their decoders."""

    def __init__(self, schema: Schema, *, max_records: int) -> None:
        """Raises `RecordTypeError` when a column is named like the field that holds a batch."""
        if RECORDS in schema.features:
            raise RecordTypeError(
                f"The dataset has a feature named `{RECORDS}`, which is the field of a batch of records in a request. "
                "Rename the column and train the model again."
            )
        names = {f"f{index}": name for index, name in enumerate(schema.features)}
        number = Annotated[float | None, msgspec.Meta(description="A number, or null when missing.")]
        category = Annotated[str | None, msgspec.Meta(description="A category, or null when missing.")]
        kinds = [number] * len(schema.numeric) + [category] * len(schema.categorical)
        fields = [(attribute, kind, None) for attribute, kind in zip(names, kinds, strict=True)]
        self._names = schema.features
        self._width = len(fields)
        self.record = _struct("Record", fields, names, "A record: every feature is optional.")
        several = _several(self.record, max_records)
        self.batch = _struct("Batch", [(RECORDS, several)], {}, "Several records at once.")
        self.rank = _struct(
            "RankRequest",
            [
                ("user", Annotated[self.record, msgspec.Meta(description="Features that all items share.")]),
                ("items", Annotated[several, msgspec.Meta(description="The features of each item to rank.")]),
                ("top", Annotated[int, msgspec.Meta(ge=1, description="How many items to return.")] | None, None),
            ],
            {},
            "A user and the items to rank for them. A feature belongs to either, not to both.",
        )
        either = _struct("Either", [*fields, (RECORDS, several | msgspec.UnsetType, msgspec.UNSET)], names, "")
        self._either = msgspec.json.Decoder(either)
        self._rank = msgspec.json.Decoder(self.rank)

    def read_score(self, body: bytes) -> tuple[list[Values], bool]:
        """The records of a `POST /score`, and whether they came as a batch; raises a `Rejection`."""
        try:
            request = self._either.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise rejection_for(error, body) from error
        values = msgspec.structs.astuple(request)
        records = values[-1]
        if records is msgspec.UNSET:
            row = values[:-1]
            self._refuse_duplicates(body, self._width - row.count(None))
            return [row], False
        rows = [msgspec.structs.astuple(record) for record in records]
        given = [name for name, value in zip(self._names, values, strict=False) if value is not None]
        if given:
            raise WrongType(f"The field {given[0]} stands beside `{RECORDS}`; put it into a record.", field=given[0])
        self._refuse_duplicates(body, 1 + self._given(rows))
        return rows, True

    def read_rank(self, body: bytes) -> RankQuery:
        """The query of a `POST /rank`; raises a `Rejection`."""
        try:
            request = cast("Any", self._rank.decode(body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise rejection_for(error, body) from error
        user = msgspec.structs.astuple(request.user)
        items = [msgspec.structs.astuple(item) for item in request.items]
        self._refuse_duplicates(body, 2 + (request.top is not None) + self._given([user, *items]))
        return RankQuery(rows=[self._joined(user, item, index) for index, item in enumerate(items)], top=request.top)

    def _joined(self, user: Values, item: Values, index: int) -> Values:
        for name, shared, own in zip(self._names, user, item, strict=True):
            if shared is not None and own is not None:
                raise DuplicateField(
                    f"The feature {name} is given by the user and by item {index}; give it once.",
                    field=f"items[{index}].{name}",
                )
        return tuple(shared if own is None else own for shared, own in zip(user, item, strict=True))

    def _given(self, rows: list[Values]) -> int:
        return sum(self._width - row.count(None) for row in rows)

    def _refuse_duplicates(self, body: bytes, given: int) -> None:
        """Raise `DuplicateField` when a name is given twice in `body`, in which `given` fields have a value.

        A name is followed by a colon, so as many colons as fields with a value leave no room for a second one. Only
        nulls and colons within strings need the slow look.
        """
        if body.count(b":") != given and (field := find_duplicate(body)) is not None:
            raise DuplicateField(f"The field {field} is given twice.", field=field)


def _several(record: type[msgspec.Struct], limit: int) -> Any:  # noqa: ANN401 - a type made from a value has no type
    return Annotated[list[record], msgspec.Meta(min_length=1, max_length=limit)]  # type: ignore[valid-type] # made here


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
