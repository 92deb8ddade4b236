"""Everything that a stack sends: each resource with its inputs, their sources, and its other dependencies."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import yaml
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockMonitor, Mocks

from infra.program import deploy
from infra.settings import Settings, load_settings
from tests.infra.graph.recorder import DEPLOYERS, SECRET_MARK, SUBSCRIPTION, TENANT, run
from tools.paths import ROOT

OWN: Mapping[str, Any] = {
    "subscription": SUBSCRIPTION,
    "tenant": TENANT,
    "deployers": [
        {"object_id": DEPLOYERS[0], "type": "User", "databricks_name": "somebody@example.com"},
        {"object_id": DEPLOYERS[1], "type": "Group"},
    ],
}
"""Settings that the committed stack files leave to their user."""


@dataclass(frozen=True)
class Declared:
    """One resource as the program registers it."""

    name: str
    """Such as "storage:StorageAccount lake"."""
    id: str
    """Empty for a component."""
    custom: bool
    options: Mapping[str, Any]
    """Options that differ from Pulumi's defaults."""
    inputs: Mapping[str, Any]
    sources: Mapping[str, list[str]]
    """For each input, the resources whose outputs it uses."""
    after: list[str]
    """Dependencies that no input shows."""


@dataclass(frozen=True)
class Recording:
    """The resources that a program declared, in any order, and the stack's outputs with secrets marked as in inputs."""

    resources: list[Declared]
    outputs: dict[str, Any]


class Monitor(MockMonitor):
    """The mocks' monitor, which also keeps each request: mocks see neither dependencies nor options."""

    def __init__(self, mocks: Mocks) -> None:
        super().__init__(mocks)
        self.requests: list[tuple[Any, str]] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name; a message without types
        """Keep the request and answer as the mocks do."""
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]  # Pulumi gives it no types
        self.requests.append((request, answer.id))
        return answer


def committed(stack: str, dataset: Mapping[str, object] | None = None, /, **azure: object) -> Settings:
    """The settings of a committed stack file, with its gaps filled, group `azure` changed, and `dataset` if given."""
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
    config["personalization:azure"] |= {**OWN, **azure}
    return load_settings(config | ({} if dataset is None else {"personalization:dataset": dataset}))


def record(settings: Settings, stack: str) -> Recording:
    """Record what the program declares with these settings, with mocks in place of Azure."""
    monitors: list[Monitor] = []

    def watched(mocks: Mocks) -> Monitor:
        monitors.append(Monitor(mocks))
        return monitors[-1]

    def program() -> dict[str, pulumi.Output[Any]]:
        outputs = deploy(settings, stack)
        secrets: dict[str, pulumi.Output[bool]] = {
            f"{name} is secret": pulumi.Output.from_input(made.is_secret()) for name, made in outputs.items()
        }
        return {**outputs, **secrets}

    _, values = run(program, stack, watched)
    return Recording(
        resources=[_declared(request, made) for request, made in monitors[0].requests if request.parent],
        outputs={
            name: {"secret": value} if values[f"{name} is secret"] else value
            for name, value in values.items()
            if not name.endswith(" is secret")
        },
    )


def _declared(request: Any, made: str) -> Declared:
    sources = {
        name: sorted(map(_called, found.urns)) for name, found in request.propertyDependencies.items() if found.urns
    }
    known = {name for names in sources.values() for name in names}
    return Declared(
        name=_called(f"::{request.type}::{request.name}"),
        id=made,
        custom=request.custom,
        options=dict(_options(request)),
        inputs=_shown(rpc.deserialize_properties(request.object)),
        sources=sources,
        after=sorted({_called(urn) for urn in request.dependencies} - known),
    )


def _options(request: Any) -> Iterator[tuple[str, Any]]:
    yield "parent", _called(request.parent)
    if request.provider:
        yield "provider", request.provider.rpartition("::")[0].rpartition("::")[2]
    if request.protect:
        yield "protect", True
    if request.deletedWith:
        yield "deleted_with", _called(request.deletedWith)
    if request.ignoreChanges:
        yield "ignore_changes", sorted(request.ignoreChanges)
    if request.replaceOnChanges:
        yield "replace_on_changes", sorted(request.replaceOnChanges)
    if request.deleteBeforeReplaceDefined:
        yield "delete_before_replace", request.deleteBeforeReplace
    if request.retainOnDelete:
        yield "retain_on_delete", True
    times = request.customTimeouts
    if times.create or times.update or times.delete:
        yield "timeouts", [times.create, times.update, times.delete]


def _called(urn: str) -> str:
    """The type without its package, and the logical name, such as "storage:StorageAccount lake"."""
    *_, kind, name = urn.split("::")
    package, module, short = kind.rpartition("$")[2].split(":")
    if short == "Stack":
        return "the stack"  # mocks reuse the first stack that they made, whatever its name
    return f"{package if module.startswith('index/') else module}:{short} {name}"


def _shown(value: Any) -> Any:
    """`value` with each secret shown as `{"secret": ...}`. Its content is a mock's and names its source."""
    if isinstance(value, dict):
        if SECRET_MARK in value:
            return {"secret": _shown(value["value"])}
        return {name: _shown(inner) for name, inner in value.items()}
    return [_shown(inner) for inner in value] if isinstance(value, list) else value
