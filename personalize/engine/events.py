"""The engine's events, reduced to what a person wants to know: which step does what, how far it is, why it failed."""

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulumi.automation import EngineEvent
    from pulumi.automation.events import DiagnosticEvent, StepEventMetadata

MARKUP = re.compile(r"<\{%.*?%\}>")
NOISE = re.compile(
    r"^(?:(?:error: )?(?:(?:preview|update|destroy|refresh) failed: |rpc error: code = \w+ desc = |"
    r"\d+ errors? occurred:\s*\*? ?|"
    r"(?:creating|updating|deleting|refreshing|reading|checking) (?:urn:\S+|failed):? ?))+",
    re.IGNORECASE,
)
TRACEBACK = "Traceback (most recent call last)"
EXCEPTION = re.compile(r"^\w[\w.]*(?:Error|Exception|Interrupt)\b:? ?(.*)$", re.MULTILINE)
TRACEBACK_HINT = "This is a defect. Run it again with `.venv/bin/personalize --debug ...`, and report what that shows."
SUMMARIES = re.compile(
    r"^(?:(?:update|preview|destroy|refresh) (?:failed|canceled)|resource monitor has terminated.*|"
    r".*failed to run remediation: context canceled)$",
    re.IGNORECASE,
)
"""What the engine adds after a step has said what is wrong."""


TITLES = {
    "Registry": "registry",
    "DataUpload": "data",
    "TrainingRun": "training",
    "ModelVersion": "model version",
    "ServingImage": "serving image",
    "ApiKey": "key",
    "ScoringService": "scoring service",
}
"""What a person calls the steps, by the last part of their types."""


class Phase(StrEnum):
    """Where a step is."""

    STARTED = "started"
    MESSAGE = "message"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class StepUpdate:
    """News of one step."""

    step: str
    """Last part of the resource's type, `TrainingRun`; empty for the program as a whole."""
    phase: Phase
    operation: str = ""
    """The engine's word: create, update, same, replace, delete, refresh ..."""
    text: str = ""
    """The message, ready to show."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What the engine does, or would do, to one resource."""

    urn: str
    type: str
    name: str
    operation: str
    """`create`, `update`, `replace` or `delete`."""
    properties: tuple[str, ...] = ()
    """Paths of the inputs that differ, as far as the engine knows."""
    replaces: tuple[str, ...] = ()
    """Those among them that a change in place cannot reach."""


CHANGES = {"create": "create", "update": "update", "create-replacement": "replace", "delete": "delete"}
"""A change for the engine's word; `replace` and `delete-replaced` are the other parts of a `create-replacement`."""


class EventReader:
    """Called by the engine with each event; passes steps' news on and remembers what the end needs."""

    def __init__(self, on_step: Callable[[StepUpdate], None]) -> None:
        self._on_step = on_step
        self.cancelled = False
        """Set once the user interrupted: what fails from then on was cancelled."""
        self.failures: dict[str, list[str]] = defaultdict(list)
        """Sentences by step."""
        self.changes: dict[str, int] = {}
        """Resources by operation, as the engine sums them up."""
        self.resources: list[Change] = []
        """What happens to each resource that does not stay as it is, components left out."""
        self.operations: dict[str, str] = {}
        """The engine's word for what it did, by step."""
        self.results: dict[str, dict[str, Any]] = {}
        """Outputs by step, secrets masked by the engine."""

    def __call__(self, event: "EngineEvent") -> None:
        """Take one event."""
        if event.resource_pre_event:
            self._step(event.resource_pre_event.metadata, Phase.STARTED)
        elif event.res_outputs_event:
            self._step(event.res_outputs_event.metadata, Phase.FINISHED)
        elif event.res_op_failed_event:
            self._step(event.res_op_failed_event.metadata, Phase.FAILED)
        elif event.diagnostic_event:
            self._diagnostic(event.diagnostic_event)
        elif event.summary_event:
            self.changes = {str(kind): count for kind, count in event.summary_event.resource_changes.items()}

    def _step(self, metadata: "StepEventMetadata", phase: Phase) -> None:
        state = metadata.new or metadata.old
        if state is None or not state.custom or metadata.type.startswith("pulumi:"):
            return
        step = step_name(metadata.urn)
        if phase is Phase.STARTED and metadata.op.value in CHANGES:
            self.resources.append(_change(metadata))
        if phase is Phase.FINISHED and metadata.new:
            self.operations[step] = str(metadata.op.value)
            self.results[step] = dict(metadata.new.outputs or {})
        text = "cancelled" if phase is Phase.FAILED and self.cancelled else ""
        if phase is Phase.FINISHED and metadata.op.value == "refresh" and metadata.new is None:
            text = "gone"
        self._on_step(StepUpdate(step=step, phase=phase, operation=str(metadata.op.value), text=text))

    def _diagnostic(self, event: "DiagnosticEvent") -> None:
        text = clean(event.message)
        if not text or SUMMARIES.match(text) or event.severity == "debug":
            return
        step = step_name(event.urn or "")
        if event.severity == "error":
            if text not in self.failures[step]:
                self.failures[step].append(text)
            return
        self._on_step(StepUpdate(step=step, phase=Phase.MESSAGE, text=text))


def _change(metadata: "StepEventMetadata") -> Change:
    return Change(
        urn=metadata.urn,
        type=metadata.type,
        name=metadata.urn.rpartition("::")[2],
        operation=CHANGES[metadata.op.value],
        properties=tuple(metadata.detailed_diff or metadata.diffs or ()),
        replaces=tuple(metadata.keys or ()),
    )


def clean(message: str) -> str:
    """`message` without the engine's colour marks, without what it puts before a provider's sentence, and of a
    traceback only the exception."""
    text = NOISE.sub("", MARKUP.sub("", message).strip()).strip()
    if TRACEBACK not in text:
        return text
    exceptions = EXCEPTION.findall(text)
    return f"{exceptions[-1] or 'no reason was given'}. {TRACEBACK_HINT}" if exceptions else text


def step_name(urn: str) -> str:
    """`TrainingRun` for the URN of such a resource or component; empty for the stack itself and for none."""
    parts = urn.split("::", maxsplit=3)  # urn:pulumi:<stack>, project, type with its parents, name
    kind = parts[2].rpartition("$")[2] if len(parts) > 3 else ""  # noqa: PLR2004 - a URN has four parts
    return "" if kind == "pulumi:pulumi:Stack" else kind.rpartition(":")[2]


def title(step: str) -> str:
    """What a person calls a step."""
    return TITLES.get(step, step)
