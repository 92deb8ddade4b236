"""A step as the graph sees it: one resource of the steps' provider."""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, TypeVar

import pulumi
from pulumi import Output, ResourceOptions
from pydantic import BaseModel, TypeAdapter

from steps.step import Step, StepInputs

ValueT = TypeVar("ValueT")


class StepResource(pulumi.CustomResource):
    """A resource of the steps' provider."""

    def __init__(
        self,
        step: type[Step[Any, Any]],
        name: str,
        inputs: StepInputs,
        *,
        target: Mapping[str, Any],
        options: ResourceOptions,
    ) -> None:
        """Declare the step with its inputs, and with those values of `target` that the step has a field for.

        Raises `TypeError` when an input is missing, or is not one of this step's.
        """
        fields = step.inputs.model_fields
        known = {field: value for field, value in target.items() if field in fields}
        properties = {**known, **dict(_given(inputs))}
        missing = {field for field, found in fields.items() if found.is_required()} - properties.keys()
        if missing or not properties.keys() <= fields.keys():
            raise TypeError(f"{name} is declared without {sorted(missing)}, or with more than {sorted(fields)}.")
        self._step = step
        computed = dict.fromkeys(step.outputs.model_fields)
        super().__init__(step.token(), name, {**properties, **computed}, options)

    def output(self, field: str, kind: type[ValueT]) -> Output[ValueT]:
        """What the step computes in `field`; raises `TypeError` unless the step has it with the type `kind`."""
        declared = self._step.outputs.model_fields.get(field)
        if declared is None or declared.annotation != kind:
            raise TypeError(f"{self._step.kind} computes no `{field}` of type {kind}.")
        # The engine knows one kind of number only.
        value: Output[ValueT] = self.__dict__[field].apply(TypeAdapter(kind).validate_python)
        return Output.secret(value) if field in self._step.secrets() else value


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
