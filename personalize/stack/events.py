"""The engine's events: progress and failures of steps, the result of an operation, and the error to raise."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from features.errors import PersonalizationError
from features.files import NO_SPACE
from personalize.errors import (
    AnotherServesError,
    EngineFailedError,
    EngineForbiddenError,
    GateRejectedError,
    StackBusyError,
    StepFailedError,
)

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
"""Lines that the engine adds after the error of a step."""


TITLES = {
    "Registry": "registry",
    "DataUpload": "data",
    "TrainingRun": "training",
    "ModelVersion": "model version",
    "ServingImage": "serving image",
    "ApiKey": "key",
    "ScoringService": "scoring service",
    "Champion": "champion",
}
"""Names of steps for users, by the last part of their types."""


class Phase(StrEnum):
    """The phase of a step."""

    STARTED = "started"
    MESSAGE = "message"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class StepUpdate:
    """An update of one step."""

    step: str
    """Last part of the resource's type, as `TrainingRun`; empty for the program itself."""
    phase: Phase
    operation: str = ""
    """The engine's name of the operation: create, update, same, replace, delete, refresh ..."""
    text: str = ""
    """The message, ready to show."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """An operation on one resource, done or planned."""

    urn: str
    type: str
    name: str
    operation: str
    """`create`, `update`, `replace` or `delete`."""
    properties: tuple[str, ...] = ()
    """Paths of the inputs that differ, where the engine knows them."""
    replaces: tuple[str, ...] = ()
    """Those that need a replacement."""


CHANGES = {"create": "create", "update": "update", "create-replacement": "replace", "delete": "delete"}
"""A change by the engine's operation. `replace` and `delete-replaced` belong to a `create-replacement`."""


class EventReader:
    """Called with each event of the engine. Passes on updates of steps, and keeps what the result needs."""

    def __init__(self, on_step: Callable[[StepUpdate], None]) -> None:
        self._on_step = on_step
        self.cancelled = False
        """Set when the user interrupts: later failures are cancellations."""
        self.failures: dict[str, list[str]] = defaultdict(list)
        """Error messages by step."""
        self.changes: dict[str, int] = {}
        """Number of resources by operation, from the engine's summary."""
        self.resources: list[Change] = []
        """The change of each resource that changes, without components."""
        self.operations: dict[str, str] = {}
        """The engine's operation by step."""
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
    """`message` without the engine's colour marks and prefixes. A traceback is reduced to its exception."""
    text = NOISE.sub("", MARKUP.sub("", message).strip()).strip()
    if TRACEBACK not in text:
        return text
    exceptions = EXCEPTION.findall(text)
    return f"{exceptions[-1] or 'no reason was given'}. {TRACEBACK_HINT}" if exceptions else text


def step_name(urn: str) -> str:
    """The last part of the type in a URN, as `TrainingRun`; empty for the stack itself and for no URN."""
    parts = urn.split("::", maxsplit=3)  # urn:pulumi:<stack>, project, type with its parents, name
    kind = parts[2].rpartition("$")[2] if len(parts) > 3 else ""  # noqa: PLR2004 - a URN has four parts
    return "" if kind == "pulumi:pulumi:Stack" else kind.rpartition(":")[2]


def title(step: str) -> str:
    """The name of a step for users."""
    return TITLES.get(step, step)


OnStep = Callable[[StepUpdate], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of an operation."""

    changes: dict[str, int]
    """Number of resources by the engine's operation."""
    steps: dict[str, str]
    """The engine's operation by step."""
    outputs: dict[str, Any]
    """The stack's outputs in clear text."""
    secret: frozenset[str]
    """Names of the secret outputs."""
    seconds: float
    resources: tuple[Change, ...] = ()
    """The change of each resource that changed or would change."""
    data_read: bool = True
    """False for a plan with the data as the last update listed it."""


DEBUG_HINT = "Run it again with `--debug` to see all of Pulumi's output."
LAST_LINES = 3
FORBIDDEN = "RESPONSE 403"
"""In the text of every error of Azure's SDK for Go (azcore's `ResponseError`) with this status."""
LOCKED = "the stack is currently locked by"
"""The engine's message if another update holds the stack."""


Advise = Callable[[Mapping[str, Sequence[str]]], Sequence[str]]
"""Takes error messages by step, and returns sentences that say what to do."""


def explain(
    operation: str, text: str, reader: EventReader, stack: str, advise: Advise = lambda _: ()
) -> PersonalizationError:
    """The error to raise for a failed `operation` of the engine, which printed `text`."""
    if LOCKED in text:
        return _busy(text, stack)
    if "incorrect passphrase" in text:
        return PersonalizationError(
            f"The passphrase file of stack {stack} does not decrypt its state. Restore the right file, or run "
            f"`.venv/bin/personalize reset --stack {stack} --yes` and `.venv/bin/personalize up` to start afresh."
        )
    if reader.failures:
        return _of_steps(reader, advise)
    lines = [clean(line) for line in text.splitlines() if "error:" in line] or [
        line.strip() for line in text.splitlines() if line.strip()
    ]
    said = "; ".join(dict.fromkeys(lines[-LAST_LINES:]))
    if NO_SPACE.search(said):
        return EngineFailedError(
            f"Pulumi could not finish the {operation}, since the disk is full: {said}. Free some space there, then run "
            "this again, which names a whole copy of the state if it was cut short."
        )
    kind = EngineForbiddenError if FORBIDDEN in text else EngineFailedError
    return kind(f"Pulumi could not finish the {operation}: {said}. {DEBUG_HINT}")


def _busy(text: str, stack: str) -> StackBusyError:
    """The lock of another process. Only a person knows whether another machine's process has ended."""
    holder = re.search(r"created by (\S+) \(pid (\d+)\)", text)
    who = f"process {holder[2]} of {holder[1]}" if holder else "another process"
    return StackBusyError(
        f"Stack {stack} is being changed by {who}. Wait for it to end, then run this again. If it has ended without "
        f'removing its lock, `eval "$(make env STACK={stack})"` and `pulumi cancel --yes` do.'
    )


def _of_steps(reader: EventReader, advise: Advise) -> PersonalizationError:
    sentences = [
        f"{title(step)}: {text}" if step else text for step, texts in reader.failures.items() for text in texts
    ]
    verdict = reader.results.get("TrainingRun", {}).get("verdict")
    first = isinstance(verdict, dict) and verdict.get("accepted") is False and set(reader.failures) == {"ModelVersion"}
    later = reader.results.get("ModelVersion", {}).get("refusal") and set(reader.failures) == {"Champion"}
    kind = AnotherServesError if later else GateRejectedError if first else StepFailedError
    return kind("\n".join([*sentences, *advise(reader.failures)]))
