"""Converts between property values of Pulumi's engine and plain Python values.

An unknown value is sent as a special string, which `PropertyValue` does not change; its own type for unknown values
can't be sent.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi.provider.experimental.property_value import PropertyValue, PropertyValueType
from pulumi.runtime import rpc

from steps.provider.step import State, UnknownValue

UNKNOWN = UnknownValue()
MARK = rpc.UNKNOWN


def plain(values: Mapping[str, PropertyValue]) -> State:
    """A resource's properties as plain values: secrets unwrapped, whole numbers as integers."""
    return {name: _plain(value) for name, value in values.items() if not name.startswith("__")}


def properties(values: State, secrets: frozenset[str]) -> dict[str, PropertyValue]:
    """Property values for the engine, with those in `secrets` marked as secret."""
    return {name: _property(value).with_secret(name in secrets) for name, value in values.items()}


def _plain(value: PropertyValue) -> Any:  # noqa: ANN401 - any JSON value
    content = value.value
    match value.type:
        case PropertyValueType.STRING if content == MARK:
            return UNKNOWN
        case PropertyValueType.MAP if isinstance(content, Mapping):
            return {name: _plain(part) for name, part in content.items()}
        case PropertyValueType.ARRAY if isinstance(content, Sequence):
            return [_plain(part) for part in content if isinstance(part, PropertyValue)]
        case PropertyValueType.NUMBER if isinstance(content, float) and content.is_integer():
            return int(content)
        case _:
            return content


def _property(value: Any) -> PropertyValue:  # noqa: ANN401 - any JSON value
    if isinstance(value, UnknownValue):
        return PropertyValue(MARK)
    if isinstance(value, Mapping):
        return PropertyValue({name: _property(part) for name, part in value.items()})
    if isinstance(value, str | bool) or value is None:
        return PropertyValue(value)
    if isinstance(value, Sequence):
        return PropertyValue([_property(part) for part in value])
    return PropertyValue(float(value))
