"""Reads the models of Microsoft's current generator, which keeps its tables in `rest_field` descriptors."""

import builtins
import datetime as dt
import decimal
import importlib
import inspect
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any

from tests.simulation.models.shapes import Anything, Lazy, Listing, Member, Node, Scalar, Shape, Table

JSON_KINDS: Mapping[type, tuple[type, ...]] = {
    str: (str,),
    bool: (bool,),
    int: (int,),
    float: (int, float),
    decimal.Decimal: (int, float),
    bytes: (str,),
    dt.datetime: (str,),
    dt.date: (str,),
    dt.time: (str,),
    dt.timedelta: (str,),
}


def is_current(model: type) -> bool:
    """Whether `model` comes from the current generator."""
    return any(base.__module__.endswith("model_base") for base in model.__mro__)


def read_current(model: type) -> Shape:
    """The shape of a model class."""
    model.__new__(model)  # type: ignore[call-overload]  # to mypy `model` may be `type`; this fills its table of fields
    hints = _hints(model)
    members: dict[str, Member] = {}
    discriminator = None
    for attribute, rest in model._attr_to_rest_field.items():  # type: ignore[attr-defined]  # noqa: SLF001
        wire = rest._rest_name  # noqa: SLF001
        if rest._is_discriminator:  # noqa: SLF001
            discriminator = wire
        hint = hints.get(attribute, Any)
        members[wire] = Member(
            _node(hint),
            read_only=rest._visibility == ["read"],  # noqa: SLF001
            required=not _optional(hint),
        )
    own_variants: Mapping[str, type] = model.__dict__.get("__mapping__", {})
    variants = {value: _lazy(variant) for value, variant in own_variants.items()}
    return Shape(model.__name__, members, discriminator, variants)


def _hints(model: type) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    for base in reversed(model.__mro__):
        if base.__module__.endswith("_models"):
            module = importlib.import_module(base.__module__)
            package = importlib.import_module(base.__module__.rpartition(".")[0])
            names = {**vars(module), "_models": package}
            own = types.SimpleNamespace(__annotations__=inspect.get_annotations(base))
            hints |= typing.get_type_hints(own, names)
    return hints


def _optional(hint: Any) -> bool:
    return type(None) in typing.get_args(hint)


def _node(hint: Any) -> Node:
    origin, arguments = typing.get_origin(hint), [part for part in typing.get_args(hint) if part is not type(None)]
    if origin in {typing.Union, types.UnionType}:
        enum = next((part for part in arguments if isinstance(part, type) and issubclass(part, Enum)), None)
        return _node(enum) if enum else _node(arguments[0]) if len(arguments) == 1 else Anything()
    match origin:
        case builtins.list:
            return Listing(_node(arguments[0]))
        case builtins.dict:
            return Table(_node(arguments[1]))
        case typing.Literal:
            return Scalar((str,), frozenset(str(getattr(value, "value", value)) for value in arguments))
    return _class_node(hint) if isinstance(hint, type) else Anything()


def _class_node(hint: type) -> Node:
    if issubclass(hint, Enum):
        return Scalar((str,), frozenset(str(item.value) for item in hint))
    if is_current(hint):
        return _lazy(hint)
    kinds = JSON_KINDS.get(hint)
    return Scalar(kinds) if kinds else Anything()


def _lazy(model: type) -> Lazy:
    return Lazy(f"{model.__module__}:{model.__name__}")
