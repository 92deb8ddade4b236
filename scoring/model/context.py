"""Columns of users for the ranking of candidates: from the `context` of a `POST /recommend`, and stored ones."""

from collections.abc import Mapping, Sequence

from features.columns import Field, Number
from recommend.columns import Value, from_text
from scoring.model.diagnosis import LONGEST_NAME
from scoring.request_errors import NotFinite, UnknownField, WrongType

MOST_LISTED = 20


def read_context(context: Mapping[str, str | float | None], columns: Sequence[Field]) -> dict[str, Value]:
    """The values by column; raises a `Rejection` for one that the ranking does not read."""
    fields = {field.name: field for field in columns}
    return {name: _value(name, value, fields) for name, value in context.items()}


def read_stored(texts: Mapping[str, str], columns: Sequence[Field]) -> dict[str, Value]:
    """The same from a user's stored columns; what the ranking cannot read is missing."""
    return {field.name: from_text(texts[field.name], field) for field in columns if field.name in texts}


def _value(name: str, value: str | float | None, fields: Mapping[str, Field]) -> Value:
    shown = name[:LONGEST_NAME]
    at = f"context.{shown}"
    field = fields.get(name)
    if field is None:
        known = ", ".join(list(fields)[:MOST_LISTED]) or "none"
        raise UnknownField(f"The ranking reads no column {shown!r} of users; it reads {known}.", field=at)
    if value is None:
        return None
    if isinstance(field, Number):
        if isinstance(value, str):
            raise WrongType("The value must be a number or null.", field=at)
        try:
            return float(value)
        except OverflowError as error:
            raise NotFinite("The value is out of range.", field=at) from error
    if isinstance(value, float):
        if not value.is_integer():
            raise WrongType("The value must be a text, a whole number or null.", field=at)
        return str(int(value))
    return str(value)
