"""Says what a value must be that pydantic refused, without pydantic's words."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

_WORDS = {
    "extra_forbidden": "there is no such key",
    "missing": "is missing",
    "string_type": "must be a text",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "must be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "must be an object"),
    **dict.fromkeys(("list_type", "tuple_type"), "must be a list"),
    "path_type": "must be a path",
    **dict.fromkeys(("string_too_short", "too_short"), "must be at least {min_length} long"),
    "too_long": "must be at most {max_length} long",
    "string_pattern_mismatch": "must match {pattern}",
}


def allowed(detail: Mapping[str, Any]) -> str:
    """What a value must be, from the details of one of pydantic's errors."""
    if detail["type"] in _WORDS:
        return _WORDS[detail["type"]].format(**detail.get("ctx", {}))
    message = detail["msg"].removeprefix("Value error, ").removesuffix(".")
    return re.sub("^(Input|String|Tuple|List|Value) should ", "must ", message)


def alternatives(details: Iterable[Mapping[str, Any]]) -> str:
    """What a value must be, from the details for each kind that it may be of."""
    found = dict.fromkeys(map(allowed, details))
    if "must be a number" in found:
        found.pop("must be a whole number", None)
    return " or ".join(found).replace(" or must be ", " or ")


def problems(details: Iterable[Mapping[str, Any]], content: object) -> dict[str, str]:
    """What is wrong in `content`, by the place of each value in it, as `users.key`; "" for all of it."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for detail in details:
        found.setdefault(_place(detail, content), []).append(detail)
    return {place: f"{alternatives(own)}{_shown(own[0])}" for place, own in found.items()}


def _shown(detail: Mapping[str, Any]) -> str:
    given = detail["input"]
    is_shown = isinstance(given, str | int | float | date) and detail["type"] != "extra_forbidden"
    return f", not {given!r}" if is_shown else ""


def _place(detail: Mapping[str, Any], content: Any) -> str:  # noqa: ANN401 - whatever YAML holds
    """The place of a value, without the kinds that pydantic tried there, which are no keys of the content."""
    keys, inside = [], content
    for part in detail["loc"]:
        if isinstance(inside, dict) and isinstance(part, int):
            part = [*inside][part]  # noqa: PLW2901 - a list was made of this object
        if (isinstance(inside, dict) and part in inside) or (isinstance(inside, list) and isinstance(part, int)):
            inside = inside[part]
        elif detail["type"] != "missing" or part != detail["loc"][-1]:
            continue
        keys.append(str(part))
    return ".".join(keys)
