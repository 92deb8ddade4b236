"""Turns a failed Pulumi command into one of our errors, with the steps' own messages if there are any."""

import re
from collections.abc import Callable, Mapping, Sequence

from features.errors import PersonalizationError
from personalize.engine.events import EventReader, clean, title
from personalize.errors import (
    AnotherServesError,
    EngineFailedError,
    EngineForbiddenError,
    GateRejectedError,
    PassphraseWrongError,
    StackBusyError,
    StepFailedError,
)

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
        return PassphraseWrongError(
            f"The passphrase file of stack {stack} does not decrypt its state. Restore the right file, or run "
            f"`.venv/bin/personalize reset --stack {stack} --yes` and `.venv/bin/personalize up` to start afresh."
        )
    if reader.failures:
        return _of_steps(reader, advise)
    lines = [clean(line) for line in text.splitlines() if "error:" in line] or [
        line.strip() for line in text.splitlines() if line.strip()
    ]
    said = "; ".join(dict.fromkeys(lines[-LAST_LINES:]))
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
