"""Reads the models of Microsoft's classic generator, which keeps its tables in `_attribute_map` and `_validation`.

Its wire names are paths ("properties.sku"); the objects along the path have no model of their own, and this module
creates them.
"""

import importlib
import re
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any

from tests.simulation.models.shapes import Anything, Lazy, Listing, Member, Node, Scalar, Shape, Table

JSON_KINDS: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "int": (int,),
    "long": (int,),
    "float": (int, float),
    "decimal": (int, float),
    "iso-8601": (str,),
    "date": (str,),
    "time": (str,),
    "duration": (str,),
    "bytearray": (str,),
}


def read_classic(model: type) -> Shape:
    """The shape of a model class."""
    table: Mapping[str, Mapping[str, str]] = model._attribute_map  # type: ignore[attr-defined]  # noqa: SLF001
    rules: Mapping[str, Mapping[str, Any]] = model._validation  # type: ignore[attr-defined]  # noqa: SLF001
    hints = _hints(model)
    flat: dict[tuple[str, ...], Member] = {}
    for attribute, entry in table.items():
        path = tuple(part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", entry["key"]))
        rule = rules.get(attribute, {})
        node = _node(entry["type"], hints.get(attribute), rule, model)
        flat[path] = Member(node, read_only=rule.get("readonly", False), required=rule.get("required", False))
    discriminator, variants = _variants(model)
    return Shape(model.__name__, _nested(flat, model.__name__), discriminator, variants)


def _nested(flat: Mapping[tuple[str, ...], Member], name: str) -> dict[str, Member]:
    members = {path[0]: member for path, member in flat.items() if len(path) == 1}
    for head in {path[0] for path in flat if len(path) > 1}:
        inner = {path[1:]: member for path, member in flat.items() if path[0] == head and len(path) > 1}
        parts = _nested(inner, f"{name}.{head}")
        required = any(member.required for member in inner.values())
        members[head] = Member(Shape(f"{name}.{head}", parts), required=required)
    return members


def _variants(model: type) -> tuple[str | None, dict[str, Lazy]]:
    subtypes: Mapping[str, Mapping[str, str]] = getattr(model, "_subtype_map", {})
    for attribute, names in subtypes.items():
        wire = model._attribute_map[attribute]["key"].replace("\\.", ".")  # type: ignore[attr-defined]  # noqa: SLF001
        return wire, {value: _lazy(name, model) for value, name in names.items()}
    return None, {}


def _node(kind: str, hint: Any, rule: Mapping[str, Any], model: type) -> Node:
    if kind.startswith("["):
        return Listing(_node(kind[1:-1], None, {}, model))
    if kind.startswith("{"):
        return Table(_node(kind[1:-1], None, {}, model))
    if kind in JSON_KINDS:
        return Scalar(
            JSON_KINDS[kind],
            values=_enum_values(hint),
            pattern=rule.get("pattern"),
            shortest=rule.get("min_length"),
            longest=rule.get("max_length"),
            least=rule.get("minimum"),
            most=rule.get("maximum"),
        )
    return Anything() if kind in {"object", ""} else _lazy(kind, model)


def _enum_values(hint: Any) -> frozenset[str]:
    for part in (hint, *typing.get_args(hint)):
        if isinstance(part, type) and issubclass(part, Enum):
            return frozenset(str(item.value) for item in part)
    return frozenset()


def _hints(model: type) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    for base in reversed(model.__mro__):
        initialiser = base.__dict__.get("__init__")
        if initialiser is None or not base.__module__.endswith("_models_py3"):
            continue
        module = importlib.import_module(base.__module__)
        package = importlib.import_module(base.__module__.rpartition(".")[0])
        own = types.SimpleNamespace(__annotations__=initialiser.__annotations__)
        hints |= typing.get_type_hints(own, {**vars(module), "_models": package, "JSON": Any})
    return hints


def _lazy(name: str, model: type) -> Lazy:
    return Lazy(f"{model.__module__.rpartition('.')[0]}:{name}")
