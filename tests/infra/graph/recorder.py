"""Strict mocks for the graph: a resource of an unknown type fails the test, and every resource is recorded."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi.runtime

from steps.catalogue import local_steps
from steps.step import Step

STEPS = {step.token(): step for step in local_steps().values()}
SECRET_MARK = "4dabf18193072939515e22adb298388d"  # noqa: S105 - the key by which Pulumi marks a secret value
VALUES: dict[str, Any] = {"version": 3.0, "served_version": 3.0, "metrics": {"auc": 0.75}}
"""Computed values that are not text. Numbers are floats, as the engine delivers them."""


@dataclass
class Recorder(pulumi.runtime.Mocks):
    """Answers as the provider would, and records the declared resources by name."""

    steps: dict[str, pulumi.runtime.MockResourceArgs] = field(default_factory=dict)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Return a resource of a known type with its computed values."""
        if not args.custom:
            return None, args.inputs
        if args.typ not in STEPS:
            raise AssertionError(f"The program declares {args.typ}, which nobody here knows.")
        self.steps[args.name] = args
        return f"{args.name}-id", {**args.inputs, **computed(STEPS[args.typ], args, VALUES)}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], None]:
        """Fail: no step calls a provider function."""
        raise AssertionError(f"The program calls {args.token}.")


def computed(step: Step[Any, Any], args: pulumi.runtime.MockResourceArgs, values: Mapping[str, Any]) -> dict[str, Any]:
    """A step's outputs: the value in `values`, or else a text that names the output. Also validates the inputs."""
    assert step.check({name: _opened(value) for name, value in args.inputs.items()}) == {}
    return {name: values.get(name, f"{args.name}.{name}") for name in step.outputs.model_fields}


def _opened(value: Any) -> Any:
    """The value, unwrapped if it is a secret."""
    return value["value"] if isinstance(value, dict) and SECRET_MARK in value else value


def run(declare: Callable[[], dict[str, pulumi.Output[Any]]]) -> tuple[Recorder, dict[str, Any]]:
    """Run a program on its own event loop; return the recorder and the values of the program's outputs."""
    recorder = Recorder()
    values: dict[str, Any] = {}
    asyncio.set_event_loop(asyncio.new_event_loop())
    pulumi.runtime.set_mocks(recorder, project="personalization", stack="test", preview=False)

    def program() -> pulumi.Output[None]:
        return pulumi.Output.all(**declare()).apply(values.update)

    pulumi.runtime.test(program)()  # type: ignore[no-untyped-call]  # Pulumi gives it no types
    return recorder, values
