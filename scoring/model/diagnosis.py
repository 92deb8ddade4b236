"""Says what is wrong with a request's body and names the field. Only rejected requests pay for a closer look."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import islice
from typing import TypeVar

import msgspec
import numpy as np

from scoring.request_errors import Refusal, Rejection

LONGEST_NAME = 100
"""How many characters of a client's field name a response repeats."""

LOOKED_AT = 1 << 18
"""The longest body, in bytes, in which a wrong column or number is looked for: a longer one takes too long."""

MOST_LOOKED_AT = 1_000
"""The most columns among which the wrong one is looked for: more than these are wrong anyway."""

COUNTED = 1 << 16
"""The longest body, in bytes, whose entries are not counted before it is decoded."""

PLACE = re.compile(r"(?P<reason>.*?)(?: - at `\$\.?(?P<place>.*)`)?", re.DOTALL)
NAMED = re.compile(r"Object (?P<kind>contains unknown|missing required) field `(?P<name>.*)`", re.DOTALL)
COLUMN = re.compile(r"`\$\.(\w+)\[\.\.\.\]")
LENGTH = re.compile(r"Expected `(?P<kind>array|object|str)` of length (?P<bound>[<>]= \d+)")
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


def decoded(decode: Callable[[bytes], Decoded], body: bytes, known: str, most: Mapping[bytes, int]) -> Decoded:
    """The `body` by one of msgspec's decoders; raises the `Rejection` of one that is wrong.

    `known` says which fields there are, for one that is none of them; for `most` see `require_few`.
    """
    require_few(body, most)
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        raise _invalid(_with_column(str(error), decode, body), known) from error
    except WRONG as error:
        raise rejection_for(error, body, known) from error


def require_few(body: bytes, most: Mapping[bytes, int]) -> None:
    """Raise `WRONG_COUNT` for a long body that has a character, such as a comma, more often than `most` says, texts
    aside.

    No request has so many, and msgspec would decode all of it before it counts, which takes longer than a turn.
    """
    if len(body) <= COUNTED or all(body.count(mark) <= count for mark, count in most.items()):
        return
    found = np.frombuffer(body.replace(rb"\\", b"").replace(rb"\"", b""), np.uint8)
    outside = found[~np.logical_xor.accumulate(found == ord('"'))]
    if any(np.count_nonzero(outside == ord(mark)) > count for mark, count in most.items()):
        raise Refusal.WRONG_COUNT("The body has more entries than any request may have; send fewer at once.")


def _with_column(text: str, decode: Callable[[bytes], object], body: bytes) -> str:
    """The text of an error in `body`, with the name of the column that `[...]` stands for, if it can be found."""
    if (match := COLUMN.search(text)) and len(body) <= LOOKED_AT:
        with suppress(AttributeError, RecursionError, ValueError):
            for name, value in islice(json.loads(body)[match[1]].items(), MOST_LOOKED_AT):
                try:
                    decode(json.dumps({match[1]: {name: value}}).encode())
                except msgspec.ValidationError as error:
                    if str(error) == text:
                        return text.replace("[...]", f".{name[:LONGEST_NAME]}", 1)
    return text


def rejection_for(error: Exception, body: bytes, known: str) -> Rejection:
    """Why the `body` could not be decoded; for `known` see `decoded`."""
    if isinstance(error, msgspec.ValidationError):
        return _invalid(str(error), known)
    if isinstance(error, UnicodeDecodeError):
        return Refusal.INVALID_JSON("The body is not UTF-8.")
    if isinstance(error, RecursionError):
        return Refusal.INVALID_JSON("The body is nested too deeply.")
    if field := _sent_non_finite(body):
        return Refusal.NOT_FINITE(
            f"{field} is NaN or infinite; give a finite number, or leave it out if it is missing.", field=field
        )
    return Refusal.INVALID_JSON(f"The body is not valid JSON: {error}.")


def _invalid(text: str, known: str) -> Rejection:
    match = PLACE.fullmatch(text)
    reason, place = (match["reason"], match["place"] or "") if match else (text, "")
    if named := NAMED.fullmatch(reason):
        field = _join(place, named["name"])
        if named["kind"] == "contains unknown":
            return Refusal.UNKNOWN_FIELD(f"The field {field} is unknown. {known}", field=field)
        return Refusal.MISSING_FIELD(f"The field {field} is required.", field=field)
    subject = place or "The body"
    if length := LENGTH.fullmatch(reason):
        what = "characters" if length["kind"] == "str" else "entries"
        return Refusal.WRONG_COUNT(f"{subject} must have {_at_least_or_most(length)} {what}.", field=place or None)
    if limit := LIMIT.fullmatch(reason):
        return Refusal.OUT_OF_RANGE(f"{subject} must be {_at_least_or_most(limit)}.", field=place or None)
    if reason == "Number out of range":
        return Refusal.NOT_FINITE(f"{subject} is out of range.", field=place or None)
    return Refusal.WRONG_TYPE(f"{subject} has the wrong type: {_in_words(reason)}.", field=place or None)


def _at_least_or_most(match: re.Match[str]) -> str:
    return match["bound"].replace(">=", "at least").replace("<=", "at most")


def _in_words(reason: str) -> str:
    def word(match: re.Match[str]) -> str:
        return " or ".join(KINDS.get(kind, kind) for kind in match[1].split(" | "))

    if reason.startswith("Invalid enum value"):  # which would quote the value
        return "/openapi.json lists its values"
    reason = reason.replace("`float` that's a multiple of 1.0", "`int`")
    return re.sub(r"`([^`]*)`", word, reason[:1].lower() + reason[1:])


def _sent_non_finite(body: bytes) -> str | None:
    """The place of the first number that is not finite in a body, which many programs write as if it were JSON."""
    if len(body) > LOOKED_AT:
        return None
    try:
        path = _non_finite(json.loads(body))
    except (ValueError, RecursionError):
        return None
    place = ""
    for part in reversed(path):
        place = _join(place, part) if isinstance(part, str) else f"{place}[{part}]"
    return place


def _non_finite(value: object) -> list[str | int]:
    """The way to the first one, its end first; empty if there is none."""
    parts: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    for name, part in parts:
        if isinstance(part, float) and not math.isfinite(part):
            return [name]
        if isinstance(part, dict | list) and (path := _non_finite(part)):
            return [*path, name]
    return []


def _join(place: str, name: str) -> str:
    shown = name[:LONGEST_NAME]
    return f"{place}.{shown}" if place else shown
