"""What azure-native's own types, which are generated from Azure's description of its API, do not allow in a body."""

from collections.abc import Iterator
from enum import Enum
from importlib import import_module
from inspect import signature
from typing import Any, Union, get_args, get_origin

from pulumi._types import input_type_py_to_pulumi_names, input_type_types


def arguments_of(kind: str) -> Any:
    """The class of a resource's inputs, such as "storage:StorageAccount"."""
    module, _, name = kind.partition(":")
    package = import_module(f"pulumi_azure_native.{module}")
    return getattr(package, f"{name}InitArgs", None) or getattr(package, f"{name}Args")


def faults(kind: Any, value: Any, path: str) -> Iterator[str]:
    """What the type `kind`, such as `storage.StorageAccountArgs`, does not allow in `value`, by Pulumi's names.

    Unknown and missing fields, and values of another type or outside an enumeration.
    """
    wanted = get_args(kind)
    if get_origin(kind) is Union:
        choices = [choice for choice in wanted if isinstance(choice, type)]  # neither Awaitable nor Output
        # An enumeration says what a text may be; of `Known...` Azure accepts other values, too.
        narrow = [choice for choice in choices if issubclass(choice, Enum) and "Known" not in choice.__name__]
        yield from min((list(faults(choice, value, path)) for choice in narrow or choices), key=len)
    elif isinstance(value, list):
        for part in value:
            yield from faults(wanted[0], part, f"{path}[]")
    elif isinstance(value, dict) and wanted:
        for name, part in value.items():
            yield from faults(wanted[1], part, f"{path}.{name}")
    elif isinstance(value, dict) and kind is not Any:
        known, names = input_type_types(kind), input_type_py_to_pulumi_names(kind)
        required = {names[name] for name, one in signature(kind).parameters.items() if one.default is one.empty}
        yield from (f"{path}.{name} is missing" for name in required - value.keys())
        yield from (f"{path}.{name} is unknown" for name in value.keys() - known.keys())
        for name in value.keys() & known.keys():
            yield from faults(known[name], value[name], f"{path}.{name}")
    elif kind is not Any:
        numbers = (int, float) if kind in {int, float} else kind
        if not (value in {one.value for one in kind} if issubclass(kind, Enum) else isinstance(value, numbers)):
            yield f"{path} is {value!r}, not {kind}"
