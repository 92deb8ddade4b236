"""A step as the graph sees it: one resource of the steps' provider, made from the step's description."""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, Generic, TypeVar, cast

import pulumi
from pulumi import Output, ResourceOptions
from pydantic import BaseModel, TypeAdapter

from steps.descriptions.description import Description, StepInputs, StepOutputs
from steps.kinds import Place, token

ValueT = TypeVar("ValueT")
OutputsT_co = TypeVar("OutputsT_co", bound=StepOutputs, covariant=True)


class StepResource(pulumi.CustomResource, Generic[OutputsT_co]):
    """A resource of the steps' provider."""

    def __init__(
        self,
        place: Place,
        description: Description[Any, OutputsT_co],
        name: str,
        inputs: StepInputs,
        *,
        target: Mapping[str, Any],
        options: ResourceOptions,
    ) -> None:
        """Declare the step with its inputs, and with those that the `target` knows, by name.

        Of `target` counts what the description has a field for. Raises `TypeError` when an input is missing.
        """
        fields = description.inputs.model_fields
        known = {field: value for field, value in target.items() if field in fields}
        properties = {**known, **dict(_given(inputs))}
        missing = {field for field, found in fields.items() if found.is_required()} - properties.keys()
        if missing or not properties.keys() <= fields.keys():
            raise TypeError(f"{name} is declared without {sorted(missing)}, or with more than {sorted(fields)}.")
        self._description = description
        computed = dict.fromkeys(description.outputs.model_fields)
        super().__init__(token(place, description.kind), name, {**properties, **computed}, options)

    def output(self, read: Callable[[OutputsT_co], ValueT]) -> Output[ValueT]:
        """What the step computes in the field that `read` takes from its outputs: `lambda found: found.location`."""
        field = cast("str", read(cast("OutputsT_co", _FieldNames())))
        # The engine knows one kind of number only.
        adapter: TypeAdapter[ValueT] = TypeAdapter(self._description.outputs.model_fields[field].annotation)
        value: Output[ValueT] = self.__dict__[field].apply(adapter.validate_python)
        return Output.secret(value) if field in self._description.secrets else value


def later(value: Output[ValueT]) -> ValueT:
    """`value` where inputs name its type: the engine puts it there before anybody reads it."""
    return cast("ValueT", value)


class _FieldNames:
    """Stands for a step's outputs, and gives the name of each field."""

    def __getattr__(self, name: str) -> str:
        return name


def _given(inputs: StepInputs) -> Iterator[tuple[str, Any]]:
    """What was given to `inputs`, as properties: defaults are left to the step."""
    for name in inputs.model_fields_set:
        match getattr(inputs, name):
            case BaseModel() as model:
                yield name, model.model_dump(mode="json")
            case Enum() as choice:
                yield name, choice.value
            case tuple() as several:
                yield name, list(several)
            case value:
                yield name, value
