"""Reads a Pulumi SDK's generated argument classes, for packages whose service publishes no models."""

import collections.abc
import importlib
import inspect
import types
import typing
from collections.abc import Mapping
from typing import Any

import pulumi

from tests.simulation.models.remembered import remembered
from tests.simulation.models.shapes import Anything, Listing, Member, Node, Scalar, Shape, Table

SCALARS: Mapping[type, tuple[type, ...]] = {
    str: (str,),
    bool: (bool,),
    int: (int,),
    float: (int, float),
}


def read_arguments(name: str) -> Shape:
    """The shape of the argument class "module:Class"."""
    return remembered(name, _shape)


def _shape(arguments: type) -> Shape:
    members: dict[str, Member] = {}
    names = {**vars(importlib.import_module(arguments.__module__)), "Output": pulumi.Output, "T": Any}
    for name, accessor in inspect.getmembers(arguments, lambda part: isinstance(part, property)):
        hint = typing.get_type_hints(accessor.fget, names)["return"]
        wire = getattr(accessor.fget, "_pulumi_name", name)
        parts = set(_parts(hint))
        members[wire] = Member(_node(hint), required=type(None) not in parts)
    return Shape(arguments.__name__, members)


def _parts(hint: Any) -> list[Any]:
    """The alternatives of a union, without awaitables and outputs, which exist in the program alone."""
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        return [part for alternative in typing.get_args(hint) for part in _parts(alternative)]
    return [] if typing.get_origin(hint) in {collections.abc.Awaitable, pulumi.Output} else [hint]


def _node(hint: Any) -> Node:
    parts = [part for part in _parts(hint) if part is not type(None)]
    chosen = next((part for part in parts if not typing.is_typeddict(part)), None)
    match typing.get_origin(chosen):
        case collections.abc.Sequence:
            return Listing(_node(typing.get_args(chosen)[0]))
        case collections.abc.Mapping:
            return Table(_node(typing.get_args(chosen)[1]))
    if not isinstance(chosen, type):
        return Anything()
    if chosen in SCALARS:
        return Scalar(SCALARS[chosen])
    return _shape(chosen) if chosen.__module__.endswith("_inputs") else Anything()
