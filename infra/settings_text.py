"""Describes a settings model: its errors with the allowed values, and its fields as the rows of a table."""

import difflib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined

from features.invalid import alternatives


class SettingRow(NamedTuple):
    """A table row for one setting."""

    key: str
    kind: str
    default: str
    description: str


def describe_settings(model: type[BaseModel]) -> Iterator[SettingRow]:
    """A row for each setting of `model`, with objects expanded to their fields, in the model's order."""
    for name, field in model.model_fields.items():
        groups = _groups(field)
        if not groups:
            yield _row(name, field)
        for group in groups:
            label = name if len(groups) == 1 else f"{name} ({_tag(group)})"
            for inner_name, inner in group.model_fields.items():
                if not (len(groups) > 1 and inner_name == "kind"):
                    yield _row(f"{label}.{inner_name}", inner)


def explain(error: ValidationError, model: type[BaseModel], namespace: str) -> Iterator[str]:
    """One line for each invalid value: key, value, allowed values, an example."""
    by_key: dict[tuple[str, ...], list[ErrorDetails]] = {}
    for detail in error.errors():
        by_key.setdefault(_key(detail, model), []).append(detail)
    for key, details in by_key.items():
        name = f"{namespace}:{'.'.join(key)}"
        if details[0]["type"] == "extra_forbidden":
            yield f"{name}: there is no such setting{_known(key, model)}."
            continue
        problem = (
            "is missing" if details[0]["type"] == "missing" else f"is {details[0]['input']!r}: {alternatives(details)}"
        )
        yield f"{name} {problem}{_example(key, model)}."


def _groups(field: FieldInfo) -> list[type[BaseModel]]:
    """The models that a field may contain: none for a plain value, several for a union of objects."""
    kinds = (field.annotation, *get_args(field.annotation))
    return [kind for kind in kinds if _is_model(kind)]


def _is_model(kind: Any) -> TypeGuard[type[BaseModel]]:  # noqa: ANN401 - any annotation
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _tag(group: type[BaseModel]) -> str:
    return str(get_args(group.model_fields["kind"].annotation)[0])


def _key(detail: ErrorDetails, model: type[BaseModel]) -> tuple[str, ...]:
    """The value's key in the stack file: pydantic's location without the names of union members."""
    first, *rest = (str(part) for part in detail["loc"])
    field = model.model_fields.get(first)
    groups = _groups(field) if field else []
    if not groups:
        return (first,)
    tags = {_tag(group) for group in groups} if len(groups) > 1 else set()
    return (first, *(part for part in rest if part not in tags))


def _fields(key: tuple[str, ...], model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields that the last part of `key` is one of."""
    if len(key) == 1:
        return dict(model.model_fields)
    return {name: field for group in _groups(model.model_fields[key[0]]) for name, field in group.model_fields.items()}


def _known(key: tuple[str, ...], model: type[BaseModel]) -> str:
    names = list(_fields(key, model))
    close = difflib.get_close_matches(key[-1], names, n=1)
    return f"; did you mean {close[0]}" if close else f"; there are {', '.join(names)}"


def _example(key: tuple[str, ...], model: type[BaseModel]) -> str:
    field = _fields(key, model).get(key[-1])
    if field is None:
        return ""
    value = field.examples[0] if field.examples else field.default
    if value is PydanticUndefined or value is None:
        return ""
    return f"; for example {_plain(value)}"


def _row(key: str, field: FieldInfo) -> SettingRow:
    default = "required" if field.is_required() else _plain(field.default)
    return SettingRow(key, _allowed(field), default, " ".join((field.description or "").split()))


def _allowed(field: FieldInfo) -> str:
    """The type and its limits: `integer >= 2, <= 4096`, or the values of a choice."""
    kinds = list(_kinds(field.annotation))
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    bounds = [(sign, getattr(limit, name, None)) for limit in field.metadata for name, sign in signs.items()]
    limits = ", ".join(f"{sign} {bound}" for sign, bound in bounds if bound is not None)
    return " ".join([" or ".join(kinds), limits]).strip()


def _kinds(annotation: Any) -> Iterator[str]:  # noqa: ANN401 - any annotation
    names = {bool: "true or false", int: "integer", float: "number", str: "text", Path: "path"}
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        yield from (f"`{value}`" for value in annotation)
    elif annotation in names:
        yield names[annotation]
    elif isinstance(annotation, str):
        yield f"`{annotation}`"
    elif get_origin(annotation) is tuple:
        yield f"list of {' or '.join(_kinds(get_args(annotation)[0]))}"
    elif get_origin(annotation) is dict or _is_model(annotation):
        yield "object"
    else:
        for part in get_args(annotation):
            yield from _kinds(part)


def _plain(value: Any) -> str:  # noqa: ANN401 - any default
    if isinstance(value, BaseModel):
        return str(value.model_dump(mode="json", exclude_none=True))
    if value in ((), {}):
        return "none"
    return "none" if value is None else str(value)
