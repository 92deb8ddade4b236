"""Converts a Pulumi resource's inputs to the body that azure-native would send, and finds what Azure would refuse in
it.

azure-native moves the fields of ARM's `properties` to the top and drops some characters from names; this does the
reverse. Values that are unknown in a preview are accepted.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from steps.provider import UNKNOWN
from steps.step import UnknownValue
from tests.simulation.resource_manager.models import (
    Anything,
    Listing,
    Node,
    Scalar,
    Shape,
    Table,
    find,
    opened,
    shape_of,
)

LONGEST_LIST = 12


@dataclass(frozen=True)
class Problem:
    """A field that Azure would refuse, and why."""

    path: str
    reason: str


def body_of(
    inputs: Mapping[str, Any], shape: Shape, aliases: Mapping[str, str]
) -> tuple[dict[str, Any], list[Problem]]:
    """The body for `inputs` (without path parameters), and the names in it that Azure does not know.

    `aliases` maps Pulumi's name, or "Model.name" in one model alone, to the wire name if they differ by more than case
    and dropped characters; "properties.NAME" is the field in ARM's `properties` if both levels have a field of that
    name.
    """
    inner = opened(shape.members["properties"].node) if "properties" in shape.members else None
    body: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, value in inputs.items():
        within, _, wanted = _wanted(shape, name, aliases).rpartition(".")
        outer_name = None if within else find(shape, wanted)
        inner_name = find(inner, wanted) if isinstance(inner, Shape) else None
        lifted = inner_name is not None and (outer_name is None or shape.members[outer_name].read_only)
        if lifted and isinstance(inner, Shape) and inner_name is not None:
            wire = _wire(value, inner.members[inner_name].node, aliases)
            body.setdefault("properties", {})[inner_name] = wire
        elif outer_name is not None:
            wire = _wire(value, shape.members[outer_name].node, aliases)
            body[outer_name] = {**body.get(outer_name, {}), **wire} if isinstance(wire, dict) else wire
        else:
            problems.append(Problem(name, f"unknown field of {shape.name}"))
    return body, problems


def _wanted(shape: Shape, name: str, aliases: Mapping[str, str]) -> str:
    """The wire name of Pulumi's `name` in this model."""
    return aliases.get(f"{shape.name.rpartition(':')[2]}.{name}", aliases.get(name, name))


def _wire(value: Any, node: Node, aliases: Mapping[str, str]) -> Any:
    node = opened(node)
    match node, value:
        case Shape(), dict():
            return _object(value, _variant(node, value), aliases)
        case Listing(), list():
            return [_wire(part, node.item, aliases) for part in value]
        case Table(), dict():
            return {key: _wire(part, node.value, aliases) for key, part in value.items()}
        case Table(), list():  # the ids of identities, which azure-native takes as a set
            return {str(key): {} for key in value}
        case _:
            return value


def _object(value: Mapping[str, Any], shape: Shape, aliases: Mapping[str, str]) -> dict[str, Any]:
    """An object inside a body. If it has its own `properties`, as subnets do, their fields were moved to its top
    too."""
    made: dict[str, Any] = {}
    for key, part in value.items():
        wire, wanted = _wire(part, _member(shape, key, aliases), aliases), _wanted(shape, key, aliases)
        inner = _lifted(shape, wanted)
        if inner is not None:
            made.setdefault("properties", {})[inner] = wire
        else:
            made[find(shape, wanted) or key] = wire
    return made


def _lifted(shape: Shape, wanted: str) -> str | None:
    """The wire name of a field in the object's own `properties`, or None."""
    if find(shape, wanted) is not None or "properties" not in shape.members:
        return None
    inner = opened(shape.members["properties"].node)
    return find(inner, wanted) if isinstance(inner, Shape) else None


def _member(shape: Shape, key: str, aliases: Mapping[str, str]) -> Node:
    wanted = _wanted(shape, key, aliases)
    if (wire := find(shape, wanted)) is not None:
        return shape.members[wire].node
    inner = opened(shape.members["properties"].node) if "properties" in shape.members else None
    lifted = _lifted(shape, wanted)
    return inner.members[lifted].node if lifted and isinstance(inner, Shape) else Anything()


def _variant(shape: Shape, value: Mapping[str, Any]) -> Shape:
    if shape.discriminator is None:
        return shape
    bare = re.sub(r"[^a-z0-9]", "", shape.discriminator.lower())
    chosen = next((part for key, part in value.items() if re.sub(r"[^a-z0-9]", "", key.lower()) == bare), None)
    variant = shape.variants.get(chosen) if isinstance(chosen, str) else None
    return shape_of(variant.name) if variant else shape


def foreseen(inputs: Mapping[str, Any], shape: Shape, aliases: Mapping[str, str]) -> dict[str, Any]:
    """What azure-native's preview shows for a new resource: the inputs, with unknowns where Azure will add
    something."""
    inner = opened(shape.members["properties"].node) if "properties" in shape.members else Anything()
    places = [place for place in (inner, shape) if isinstance(place, Shape)]
    nodes = {
        name: next(
            (_member(place, name, aliases) for place in places if find(place, aliases.get(name, name))), Anything()
        )
        for name in inputs
    }
    return {name: _foreseen(value, nodes[name], aliases) for name, value in inputs.items()}


def _foreseen(value: Any, node: Node, aliases: Mapping[str, str]) -> Any:
    node = opened(node)
    if not isinstance(node, Shape) or not isinstance(value, Mapping):
        return value
    shape = _variant(node, value)
    given = {find(shape, aliases.get(key, key)) for key in value}
    rest = {name: UNKNOWN for name in shape.members if name not in given}
    return {**rest, **{key: _foreseen(part, _member(shape, key, aliases), aliases) for key, part in value.items()}}


def problems_of(body: Any, node: Node, path: str = "") -> Iterator[Problem]:
    """The problems in `body`: unknown, read-only and missing fields, wrong types and enums."""
    node = opened(node)
    if isinstance(body, UnknownValue) or body is None:
        return
    match node:
        case Scalar():
            yield from _scalar_problems(body, node, path)
        case Listing() if isinstance(body, list):
            for index, part in enumerate(body):
                yield from problems_of(part, node.item, f"{path}[{index}]")
        case Listing():
            yield Problem(path, f"{_json(body)} is not a list")
        case Table() | Shape() if not isinstance(body, dict):
            yield Problem(path, f"{_json(body)} is not an object")
        case Table():
            for key, part in body.items():
                yield from problems_of(part, node.value, f"{path}[{key!r}]")
        case Shape():
            yield from _object_problems(body, node, path)


def _object_problems(body: Mapping[str, Any], shape: Shape, path: str) -> Iterator[Problem]:
    chosen = body.get(shape.discriminator) if shape.discriminator else None
    if isinstance(chosen, str) and shape.variants and chosen not in shape.variants:
        yield Problem(f"{path}.{shape.discriminator}", f"{chosen!r} is not one of {_few(shape.variants)}")
    shape = _variant(shape, body)
    for key, part in body.items():
        where = f"{path}.{key}" if path else key
        member = shape.members.get(key)
        if member is None:
            yield Problem(where, f"unknown field of {shape.name}")
        elif member.read_only:
            yield Problem(where, "read-only: Azure sets it")
        else:
            yield from problems_of(part, member.node, where)
    for key, member in shape.members.items():
        if member.required and not member.read_only and body.get(key) is None:
            yield Problem(f"{path}.{key}" if path else key, "required, but missing")


def _scalar_problems(value: Any, node: Scalar, path: str) -> Iterator[Problem]:
    if not isinstance(value, node.kinds) or (isinstance(value, bool) and bool not in node.kinds):
        yield Problem(path, f"{_json(value)} is not of type {' or '.join(kind.__name__ for kind in node.kinds)}")
        return
    if node.values and str(value).lower() not in {known.lower() for known in node.values}:
        yield Problem(path, f"{value!r} is not one of {_few(node.values)}")


def _few(values: Any) -> str:
    known = sorted(values)
    return ", ".join(known[:LONGEST_LIST]) + (", ..." if len(known) > LONGEST_LIST else "")


def _json(value: Any) -> str:
    return f"{value!r} ({type(value).__name__})"
