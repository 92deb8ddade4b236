"""A policy as plain data and a plain function, testable without Pulumi's engine; `pack` hands it to Pulumi."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Properties = Mapping[str, Any]
"""A resource's inputs, as its provider gets them."""
Check = Callable[[Properties, str], Iterator[str]]
"""Yields a sentence for each thing that is wrong with the properties of a resource of the stack that is named."""

PRODUCTION = "prod"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One policy."""

    name: str
    description: str
    types: frozenset[str]
    """The types of resources that it is about."""
    check: Check


def is_production(stack: str) -> bool:
    """Whether users depend on the stack: `prod`, `prod-eu`."""
    return stack == PRODUCTION or stack.startswith(f"{PRODUCTION}-")


def dig(properties: object, path: str) -> Any:  # noqa: ANN401 - any JSON value
    """The value at a dotted path, None where a part of it is missing."""
    value: Any = properties
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value
