"""Runs stages, and records each as soon as it ends."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from azure.core.exceptions import AzureError
from httpx import HTTPError

from features.errors import PersonalizationError, reason
from personalize.errors import UpdateInterruptedError
from personalize.verify.bench import Bench
from personalize.verify.record import Record, SeenRecord, StageRecord
from personalize.verify.stage import Look, Seen, Stage

FIRST, LAST = "up", "destroy"
"""Between these two stages the stack belongs to the verification."""
Say = Callable[[str], None]


class NoSuchStageError(PersonalizationError):
    """No stage has this name."""


class StackIsUpError(PersonalizationError):
    """The stack is in use, so a verification must not delete it."""


def wanted(stages: Sequence[Stage], record: Record, *, begin: str | None, only: str | None) -> list[Stage]:
    """The stages to run: the rest, all from `begin` on, or `only` one. Raises `NoSuchStageError`."""
    names = [stage.name for stage in stages]
    for name in (begin, only):
        if name is not None and name not in names:
            raise NoSuchStageError(f"There is no stage `{name}`. The stages are {', '.join(names)}.")
    if only is not None:
        return [stage for stage in stages if stage.name == only]
    if begin is not None:
        return list(stages[names.index(begin) :])
    done = {name for name, found in record.stages.items() if found.status == "done"}
    first = next((place for place, name in enumerate(names) if name not in done), len(stages))
    return list(stages[first:])


def refuse_a_stack_in_use(stages: Sequence[Stage], record: Record, *, up: bool) -> None:
    """Raise `StackIsUpError` if these stages would change a stack that the verification did not create."""
    changing = any(stage.changes for stage in stages)
    ended = record.stages.get(LAST)
    ours = FIRST in record.stages and (ended is None or ended.status != "done")
    if up and changing and not ours:
        raise StackIsUpError(
            f"Stack {record.stack} is up already, and a verification ends by deleting it. Verify a stack of another "
            f"name: copy Pulumi.{record.stack}.yaml to Pulumi.trial.yaml, and add `--stack trial`."
        )


def run(stages: Sequence[Stage], bench: Bench, record: Record, say: Say) -> Record:
    """Run `stages` in order until one fails. Returns the record, which is saved after each stage.

    Raises `UpdateInterruptedError`. The record then has the interrupted stage as failed, like that of a killed process.
    """
    for stage in stages:
        say(f"{stage.name}: {stage.title}")
        began, started = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
        result = StageRecord(status="failed", began=began, seconds=0.0, said="It was interrupted.")
        record = record.with_stage(stage.name, result, bench.waits)
        record.save()
        result = _run(stage, bench, result)
        result = result.model_copy(update={"seconds": round(time.monotonic() - started, 1)})
        record = record.with_stage(stage.name, result, bench.waits)
        record.save()
        say(f"{stage.name}: {result.status} in {result.seconds:.0f} s. {result.said}")
        if result.status == "failed":
            break
    return record


def _run(stage: Stage, bench: Bench, begun: StageRecord) -> StageRecord:
    try:
        said = stage.act(bench)
    except UpdateInterruptedError:
        raise
    except (PersonalizationError, AzureError, HTTPError) as error:
        return begun.model_copy(update={"said": str(error).strip()})
    seen = {name: _seen(look, bench) for name, look in stage.looks.items()}
    return begun.model_copy(
        update={
            "status": "done",
            "said": said,
            "seen": {name: SeenRecord(holds=one.holds, answer=one.answer) for name, one in seen.items()},
        }
    )


def _seen(look: Look, bench: Bench) -> Seen:
    """The result of a check. A check that fails does not end the verification; its error is recorded."""
    try:
        found = look(bench)
    except UpdateInterruptedError:
        raise
    except (PersonalizationError, AzureError, HTTPError, LookupError, TypeError, ValueError) as error:
        return Seen(holds=None, answer=reason(error))
    return replace(found, answer=found.answer.strip())
