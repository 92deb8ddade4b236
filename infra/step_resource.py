"""A step as a resource of the program, and the groups in which `pulumi up` shows resources."""

from collections.abc import Sequence
from enum import Enum
from typing import Any, TypeVar

import pulumi
from pulumi import Output, ResourceOptions
from pydantic import BaseModel, TypeAdapter

from steps.step import Step

ValueT = TypeVar("ValueT")


class Group(pulumi.ComponentResource):
    """A group. Its kind is part of the URN of each resource in it: another one would replace them in every stack."""

    def __init__(self, kind: str, name: str, opts: ResourceOptions | None = None) -> None:
        """An empty group; its resources name it as their parent."""
        super().__init__(f"personalization:{kind}", name, None, opts)
        self.register_outputs({})


class StepResource(pulumi.CustomResource):
    """A resource of the steps' provider."""

    def __init__(
        self,
        step: type[Step[Any, Any]],
        name: str,
        parent: pulumi.Resource,
        *,
        after: Sequence[pulumi.Resource] = (),
        **inputs: Any,  # noqa: ANN401 - the step's provider checks each value
    ) -> None:
        """Declare the step with its inputs; it waits for all of `after`.

        Raises `TypeError` when an input is missing, or is not one of this step's.
        """
        fields = step.inputs.model_fields
        missing = {field for field, found in fields.items() if found.is_required()} - inputs.keys()
        if missing or not inputs.keys() <= fields.keys():
            raise TypeError(f"{name} is declared without {sorted(missing)}, or with more than {sorted(fields)}.")
        self._step = step
        properties = {field: _property(value) for field, value in inputs.items()}
        computed = dict.fromkeys(step.outputs.model_fields)
        options = ResourceOptions(parent=parent, depends_on=list(after))
        super().__init__(step.token(), name, {**properties, **computed}, options)

    def text(self, field: str) -> Output[str]:
        """A text that the step computes."""
        return self.output(field, str)

    def output(self, field: str, kind: type[ValueT]) -> Output[ValueT]:
        """What the step computes in `field`; raises `TypeError` unless the step has it with the type `kind`."""
        declared = self._step.outputs.model_fields.get(field)
        if declared is None or declared.annotation != kind:
            raise TypeError(f"{self._step.kind} computes no `{field}` of type {kind}.")
        # The engine knows one kind of number only.
        value: Output[ValueT] = self.__dict__[field].apply(TypeAdapter(kind).validate_python)
        return Output.secret(value) if field in self._step.secrets() else value


def _property(value: Any) -> Any:  # noqa: ANN401 - any input of a step
    match value:
        case BaseModel():
            return value.model_dump(mode="json")
        case Enum():
            return value.value
        case tuple():
            return list(value)
        case _:
            return value
