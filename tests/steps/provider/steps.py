"""Calls of a step, as the provider makes them."""

from typing import Any

from steps.step import Created, State, Step
from tests.steps.provider.conftest import STACK, Recorder

BASE = {"stack": STACK, "registry": "ctr"}
HASH = "a" * 64


def create(step: Step[Any, Any], inputs: State, recorder: Recorder) -> Created[Any]:
    """Create the resource as the provider does."""
    return step.create(step.parse(inputs), recorder.context)


def state(inputs: State, created: Created[Any]) -> State:
    """A resource's state as the engine stores it."""
    return {**inputs, **created.outputs.model_dump()}
