"""What Azure accepts in a body, read from Microsoft's own Python models of the REST API.

The models come from two generators, which keep this knowledge in different private tables: the classic one in
`_attribute_map` and `_validation`, the current one in `rest_field` descriptors. `Shape` is the common form. Models know
names, types, enums and what is read-only. They don't know which names Azure accepts; the files in `services/` do.
"""

import builtins
import datetime as dt
import decimal
import hashlib
import importlib
import importlib.metadata
import inspect
import pickle
import re
import tempfile
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, cast

from tools.paths import cache_folder

CLASSIC_KINDS: Mapping[str, tuple[type, ...]] = {
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
CURRENT_KINDS: Mapping[type, tuple[type, ...]] = {
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


@dataclass(frozen=True)
class Scalar:
    """A value without parts; `kinds` are the Python types that JSON may give for it."""

    kinds: tuple[type, ...]
    values: frozenset[str] = frozenset()
    """Allowed texts, compared case-insensitively as Azure does; empty if any text is allowed."""


@dataclass(frozen=True)
class Listing:
    """An array of `item`s."""

    item: "Node"


@dataclass(frozen=True)
class Table:
    """An object with free keys and values of one kind."""

    value: "Node"


@dataclass(frozen=True)
class Anything:
    """A value that the model doesn't describe."""


@dataclass(frozen=True)
class Member:
    """A field of an object."""

    node: "Node"
    read_only: bool = False
    required: bool = False


@dataclass(frozen=True)
class Shape:
    """An object with known fields. Subclasses by the discriminator's value, when the model has any."""

    name: str
    members: Mapping[str, Member]
    discriminator: str | None = None
    variants: Mapping[str, "Lazy"] = field(default_factory=dict)


@dataclass(frozen=True)
class Lazy:
    """A shape that is read when it's needed, because models refer to each other in circles. `name` is
    "module:Class"."""

    name: str


Node = Scalar | Listing | Table | Anything | Shape | Lazy


@cache
def shape_of(name: str) -> Shape:
    """The shape of the model class "module:Class".

    It is remembered on disk, by the package's version and this code: importing the models takes seconds in each plugin
    process.
    """
    module, _, attribute = name.partition(":")
    package = "-".join(module.split(".")[:3])
    version = f"{package}-{importlib.metadata.version(package)}-{_code()}"
    kept = cache_folder() / "simulation" / "shapes" / version / f"{module}.{attribute}"
    if kept.exists():
        return cast("Shape", pickle.loads(kept.read_bytes()))  # noqa: S301 - the file is our own
    model = getattr(importlib.import_module(module), attribute)
    shape = _read_current(model) if _is_current(model) else _read_classic(model)
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False) as aside:
        aside.write(pickle.dumps(shape))
    Path(aside.name).replace(kept)
    return shape


def opened(node: Node) -> Node:
    """The node, with a `Lazy` one resolved."""
    return shape_of(node.name) if isinstance(node, Lazy) else node


@cache
def _code() -> str:
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]


def find(shape: Shape, name: str) -> str | None:
    """The wire name for a Pulumi name: the same, or one that differs only in case and in characters that Pulumi
    drops."""
    if name in shape.members:
        return name
    bare = _bare(name)
    return next((wire for wire in shape.members if _bare(wire) == bare), None)


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _read_classic(model: type) -> Shape:
    """The shape of a model class."""
    table: Mapping[str, Mapping[str, str]] = model._attribute_map  # type: ignore[attr-defined]  # noqa: SLF001
    rules: Mapping[str, Mapping[str, Any]] = model._validation  # type: ignore[attr-defined]  # noqa: SLF001
    hints = _classic_hints(model)
    flat: dict[tuple[str, ...], Member] = {}
    for attribute, entry in table.items():
        path = tuple(part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", entry["key"]))
        rule = rules.get(attribute, {})
        node = _classic_node(entry["type"], hints.get(attribute), model)
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
        return wire, {value: _classic_lazy(name, model) for value, name in names.items()}
    return None, {}


def _classic_node(kind: str, hint: Any, model: type) -> Node:
    if kind.startswith("["):
        return Listing(_classic_node(kind[1:-1], None, model))
    if kind.startswith("{"):
        return Table(_classic_node(kind[1:-1], None, model))
    if kind in CLASSIC_KINDS:
        return Scalar(CLASSIC_KINDS[kind], _enum_values(hint))
    return Anything() if kind in {"object", ""} else _classic_lazy(kind, model)


def _enum_values(hint: Any) -> frozenset[str]:
    for part in (hint, *typing.get_args(hint)):
        if isinstance(part, type) and issubclass(part, Enum):
            return frozenset(str(item.value) for item in part)
    return frozenset()


def _classic_hints(model: type) -> dict[str, Any]:
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


def _classic_lazy(name: str, model: type) -> Lazy:
    return Lazy(f"{model.__module__.rpartition('.')[0]}:{name}")


def _is_current(model: type) -> bool:
    """Whether `model` comes from the current generator."""
    return any(base.__module__.endswith("model_base") for base in model.__mro__)


def _read_current(model: type) -> Shape:
    """The shape of a model class."""
    model.__new__(model)  # type: ignore[call-overload]  # to mypy `model` may be `type`; this fills its table of fields
    hints = _current_hints(model)
    members: dict[str, Member] = {}
    discriminator = None
    for attribute, rest in model._attr_to_rest_field.items():  # type: ignore[attr-defined]  # noqa: SLF001
        wire = rest._rest_name  # noqa: SLF001
        if rest._is_discriminator:  # noqa: SLF001
            discriminator = wire
        hint = hints.get(attribute, Any)
        members[wire] = Member(
            _current_node(hint),
            read_only=rest._visibility == ["read"],  # noqa: SLF001
            required=not _optional(hint),
        )
    own_variants: Mapping[str, type] = model.__dict__.get("__mapping__", {})
    variants = {value: _current_lazy(variant) for value, variant in own_variants.items()}
    return Shape(model.__name__, members, discriminator, variants)


def _current_hints(model: type) -> dict[str, Any]:
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


def _current_node(hint: Any) -> Node:
    origin, arguments = typing.get_origin(hint), [part for part in typing.get_args(hint) if part is not type(None)]
    if origin in {typing.Union, types.UnionType}:
        enum = next((part for part in arguments if isinstance(part, type) and issubclass(part, Enum)), None)
        return _current_node(enum) if enum else _current_node(arguments[0]) if len(arguments) == 1 else Anything()
    match origin:
        case builtins.list:
            return Listing(_current_node(arguments[0]))
        case builtins.dict:
            return Table(_current_node(arguments[1]))
        case typing.Literal:
            return Scalar((str,), frozenset(str(getattr(value, "value", value)) for value in arguments))
    return _class_node(hint) if isinstance(hint, type) else Anything()


def _class_node(hint: type) -> Node:
    if issubclass(hint, Enum):
        return Scalar((str,), frozenset(str(item.value) for item in hint))
    if _is_current(hint):
        return _current_lazy(hint)
    kinds = CURRENT_KINDS.get(hint)
    return Scalar(kinds) if kinds else Anything()


def _current_lazy(model: type) -> Lazy:
    return Lazy(f"{model.__module__}:{model.__name__}")
