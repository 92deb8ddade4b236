"""Says what is wrong with a request's body and names the field. Only rejected requests pay for a closer look."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec

from scoring.request_errors import Refusal, Rejection

LONGEST_NAME = 100
"""How many characters of a client's field name a response repeats."""

LOOKED_AT = 1 << 18
"""The longest body, in bytes, in which a number that is not finite is looked for: a longer one takes too long."""

PLACE = re.compile(r"(?P<reason>.*?)(?: - at `\$\.?(?P<place>.*)`)?", re.DOTALL)
NAMED = re.compile(r"Object (?P<kind>contains unknown|missing required) field `(?P<name>.*)`", re.DOTALL)
LENGTH = re.compile(r"Expected `(?:array|object)` of length (?P<bound>[<>]= \d+)")
LIMIT = re.compile(r"Expected `float` (?P<bound>[<>]= \d+)\.0")
KINDS = {
    "float": "a number",
    "int": "a whole number",
    "str": "a string",
    "bool": "a boolean",
    "null": "null",
    "array": "a list",
    "object": "an object",
}


Decoded = TypeVar("Decoded")
WRONG = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding a body that is wrong raises; `rejection_for` says why."""


class _NonFinite:
    """Stands for a NaN or infinity in a body."""


class _Pairs(list[tuple[str, Any]]):
    """A JSON object's fields in order, including repeated names."""


def decoded(decode: Callable[[bytes], Decoded], body: bytes) -> Decoded:
    """The `body` by one of msgspec's decoders; raises the `Rejection` of one that is wrong."""
    try:
        return decode(body)
    except WRONG as error:
        raise rejection_for(error, body) from error


def rejection_for(error: Exception, body: bytes) -> Rejection:
    if isinstance(error, msgspec.ValidationError):
        return _invalid(str(error))
    if isinstance(error, UnicodeDecodeError):
        return Refusal.INVALID_JSON("The body is not UTF-8.")
    if isinstance(error, RecursionError):
        return Refusal.INVALID_JSON("The body is nested too deeply.")
    if (field := _find_non_finite(body)) is not None:
        return Refusal.NOT_FINITE(
            f"{field} is NaN or infinite; give a finite number, or null when it is missing.", field=field
        )
    return Refusal.INVALID_JSON(f"The body is not valid JSON: {error}.")


def refuse_duplicates(body: bytes, given: int) -> None:
    """Raise `DUPLICATE_FIELD` if a name occurs twice in `body`, in which `given` distinct fields were found.

    The slow check is needed only if neither way of counting colons rules it out.
    """
    if body.count(b":") == given or _names(body) == given:
        return
    if (field := find_duplicate(body)) is not None:
        raise Refusal.DUPLICATE_FIELD(f"The field {field} is given twice.", field=field)


def _names(body: bytes) -> int | None:
    """The most field names that the JSON `body` can have, None if that needs a slow check.

    A name ends with a quotation mark and a colon, with at most white space between. A colon in a value, as in a URL or
    a time, follows another character, unless a quotation mark is escaped.
    """
    if any(space in body and space + b":" in body for space in (b" ", b"\t", b"\n", b"\r")):
        return None
    return body.count(b'":')


def find_duplicate(body: bytes) -> str | None:
    """The first field of the valid JSON `body` whose name occurs twice in its object."""
    for place, pairs in _objects(_parse(body), ""):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                return _join(place, name)
            seen.add(name)
    return None


def _invalid(text: str) -> Rejection:
    match = PLACE.fullmatch(text)
    reason, place = (match["reason"], match["place"] or "") if match else (text, "")
    if named := NAMED.fullmatch(reason):
        field = _join(place, named["name"])
        if named["kind"] == "contains unknown":
            return Refusal.UNKNOWN_FIELD(
                f"The field {field} is unknown; /openapi.json lists the model's features.", field=field
            )
        return Refusal.MISSING_FIELD(f"The field {field} is required.", field=field)
    subject = place or "The body"
    if length := LENGTH.fullmatch(reason):
        return Refusal.WRONG_COUNT(f"{subject} must have {_at_least_or_most(length)} entries.", field=place or None)
    if limit := LIMIT.fullmatch(reason):
        return Refusal.WRONG_TYPE(f"{subject} must be {_at_least_or_most(limit)}.", field=place or None)
    if reason == "Number out of range":
        return Refusal.NOT_FINITE(f"{subject} is out of range.", field=place or None)
    return Refusal.WRONG_TYPE(f"{subject} has the wrong type: {_in_words(reason)}.", field=place or None)


def _at_least_or_most(match: re.Match[str]) -> str:
    return match["bound"].replace(">=", "at least").replace("<=", "at most")


def _in_words(reason: str) -> str:
    def word(match: re.Match[str]) -> str:
        return " or ".join(KINDS.get(kind, kind) for kind in match[1].split(" | "))

    return re.sub(r"`([^`]*)`", word, reason[:1].lower() + reason[1:])


def _find_non_finite(body: bytes) -> str | None:
    if len(body) > LOOKED_AT:
        return None
    try:
        parsed = _parse(body)
    except (ValueError, RecursionError):
        return None
    for place, pairs in _objects(parsed, ""):
        for name, value in pairs:
            if isinstance(value, _NonFinite):
                return _join(place, name)
    return None


def _parse(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(body, object_pairs_hook=_Pairs, parse_constant=lambda _: _NonFinite())


def _objects(value: object, place: str) -> Iterator[tuple[str, _Pairs]]:
    if isinstance(value, _Pairs):
        yield place, value
        for name, inner in value:
            yield from _objects(inner, _join(place, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _objects(inner, f"{place}[{index}]")


def _join(place: str, name: str) -> str:
    shown = name[:LONGEST_NAME]
    return f"{place}.{shown}" if place else shown
