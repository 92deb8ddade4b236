"""A policy as data and a function, so that tests need no Pulumi engine; `pack` registers it with Pulumi."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Properties = Mapping[str, Any]
"""A resource's inputs, as its provider receives them."""
Check = Callable[[Properties, str], Iterator[str]]
"""Yields a sentence for each problem with a resource's properties, given the stack's name."""

PRODUCTION = "prod"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One policy."""

    name: str
    description: str
    types: frozenset[str]
    """The resource types that it applies to."""
    check: Check


def rule(name: str, description: str, *types: str) -> Callable[[Check], Rule]:
    """Turn the decorated check into a policy for resources of these types."""
    return lambda check: Rule(name=name, description=description, types=frozenset(types), check=check)


def is_production(stack: str) -> bool:
    """Whether this is a production stack, such as `prod` or `prod-eu`."""
    return stack == PRODUCTION or stack.startswith(f"{PRODUCTION}-")


def dig(properties: object, path: str) -> Any:  # noqa: ANN401 - any JSON value
    """The value at a dotted path; None if a part of it is missing."""
    value: Any = properties
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value
