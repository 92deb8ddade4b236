"""Handles the calls of Pulumi's engine by calling the steps, which take and return plain Python values.

An unknown value is sent as a special string, which `PropertyValue` does not change; its own type for unknown values
can't be sent.
"""

import asyncio
import functools
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from pulumi.provider.experimental import provider as protocol
from pulumi.provider.experimental.property_value import PropertyValue, PropertyValueType
from pulumi.runtime import rpc

from azure_clients.retries import Context
from steps.step import Kind, Place, State, Step, UnknownValue

UNKNOWN = UnknownValue()
MARK = rpc.UNKNOWN


Report = Callable[[str, str], None]
"""Shows a line next to the resource with this URN."""
Catalogue = Callable[[], Mapping[Kind, Step[Any, Any]]]
"""Returns the steps of a place. Called when the first of them is needed: Azure's SDKs take seconds to import."""


class StepsProvider(protocol.Provider):
    """Runs each step in its own thread, so that a cancellation can be received meanwhile."""

    def __init__(self, catalogues: Mapping[Place, Catalogue], report: Report) -> None:
        """`catalogues` by place; `report` shows progress."""
        self._catalogues = {place: functools.cache(catalogue) for place, catalogue in catalogues.items()}
        self._report = report
        self._cancelled = threading.Event()

    async def check(self, request: protocol.CheckRequest) -> protocol.CheckResponse:
        """Refuse invalid inputs."""
        problems = self._step(request.urn).check(plain(request.new_inputs))
        failures = [protocol.CheckFailure(name, reason) for name, reason in problems.items()]
        return protocol.CheckResponse(inputs=request.new_inputs, failures=failures)

    async def diff(self, request: protocol.DiffRequest) -> protocol.DiffResponse:
        """Return which inputs differ from the state, and which of them replace the resource."""
        found = self._step(request.urn).diff(plain(request.old_state), plain(request.new_inputs))
        return difference(found.changed, found.replaces, request.new_inputs.keys())

    async def create(self, request: protocol.CreateRequest) -> protocol.CreateResponse:
        """Create the resource; a preview returns its inputs, and unknown values for its outputs."""
        step = self._step(request.urn)
        inputs = plain(request.properties)
        if request.preview:
            return protocol.CreateResponse("", _properties(inputs, _unknown(step), step))
        created = await asyncio.to_thread(step.create, step.parse(inputs), self._context(request.urn))
        return protocol.CreateResponse(created.id, _properties(inputs, created.outputs.model_dump(), step))

    async def update(self, request: protocol.UpdateRequest) -> protocol.UpdateResponse:
        """Change the resource in place."""
        step = self._step(request.urn)
        inputs = plain(request.news)
        if request.preview:
            return protocol.UpdateResponse(_properties(inputs, _unknown(step), step))
        outputs = await asyncio.to_thread(
            step.update, request.resource_id, plain(request.olds), step.parse(inputs), self._context(request.urn)
        )
        return protocol.UpdateResponse(_properties(inputs, outputs.model_dump(), step))

    async def read(self, request: protocol.ReadRequest) -> protocol.ReadResponse:
        """Read the resource's actual state; an empty ID tells the engine that the resource no longer exists."""
        step = self._step(request.urn)
        state = plain(request.properties)
        found = await asyncio.to_thread(step.read, request.resource_id, state, self._context(request.urn))
        if found is None:
            return protocol.ReadResponse("", {}, {})
        return protocol.ReadResponse(request.resource_id, _properties(state, found.model_dump(), step), request.inputs)

    async def delete(self, request: protocol.DeleteRequest) -> None:
        """Delete the resource."""
        step = self._step(request.urn)
        await asyncio.to_thread(step.delete, request.resource_id, plain(request.properties), self._context(request.urn))

    async def cancel(self) -> None:
        """Ctrl-C: tell every running step to stop."""
        self._cancelled.set()

    def _context(self, urn: str) -> Context:
        return Context(report=lambda message: self._report(urn, message), cancelled=self._cancelled)

    def _step(self, urn: str) -> Step[Any, Any]:
        # A URN's third part ends with `personalize:PLACE:KIND`, after the parents' types.
        _, place, kind = urn.split("::")[2].rpartition("$")[2].split(":")
        return self._catalogues[Place(place)]()[Kind(kind)]


def difference(changed: Collection[str], replaces: Collection[str], inputs: Collection[str]) -> protocol.DiffResponse:
    """What the engine shows of `changed` properties, some of which are `inputs`; those in `replaces` replace."""
    kinds = protocol.PropertyDiffKind
    return protocol.DiffResponse(
        changes=bool(changed),
        diffs=sorted(changed),
        replaces=sorted(replaces),
        detailed_diff={
            name: protocol.PropertyDiff(
                kinds.UPDATE_REPLACE if name in replaces else kinds.UPDATE, input_diff=name in inputs
            )
            for name in changed
        },
    )


def _unknown(step: Step[Any, Any]) -> State:
    return dict.fromkeys(step.outputs.model_fields, UNKNOWN)


def _properties(inputs: State, computed: State, step: Step[Any, Any]) -> dict[str, PropertyValue]:
    return properties({**inputs, **computed}, step.secrets())


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
