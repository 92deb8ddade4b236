"""Runs of a job on Databricks by their idempotency tokens, followed to their end and cancelled on Ctrl-C.

`run_now` returns the existing run with this token, even one that failed long ago; so each attempt has another token.
"""

import hashlib
import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from azure_clients.retries import Context, StepCancelledError, pause, retried
from features.errors import PersonalizationError
from training.privileges import READ, not_granted
from training.progress import reason_in
from training.request import LakeRequest

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import Run

OVER = {"TERMINATED", "SKIPPED", "INTERNAL_ERROR"}
"""States in which a run has ended, as the SDK's `RunLifeCycleState` names them."""
SUCCESS = "SUCCESS"
REQUEST = "request"
"""The job's only parameter (`infra.cloud.databricks`)."""
LIBRARY = re.compile(
    r"Library installation failed for library due to user error for ([^\n]+)(?:.*Error Message: (.+))?", re.DOTALL
)
"""Databricks' message about a run whose task never started, with the library and the cause."""
REFUSED = re.compile(r"PERMISSION_DENIED.*?(/Volumes(?:/[^/\s]+){3})")
"""The cause if the run's identity may not read a volume, and that volume's path."""
Answer = TypeVar("Answer")
Usable = Callable[[], bool]


class RunFailedError(PersonalizationError):
    """A run failed."""


@dataclass(frozen=True)
class JobRuns:
    """The runs of the job `job` in a workspace."""

    client: "WorkspaceClient"
    context: Context
    job: int

    def succeed(self, identity: str, request: LakeRequest, usable: Usable) -> str:
        """Run the job for `identity`, unless a run has succeeded, and return the run's URL.

        `usable` is whether the files of an old run still exist. Raises `RunFailedError` with the task's error; after
        Ctrl-C the run is cancelled and `StepCancelledError` raised.
        """
        listed = self._ask("list the runs", lambda: list(self.client.jobs.list_runs(job_id=self.job)))
        before = {run.run_id for run in listed}
        for attempt in itertools.count(1):
            number = self._start(token(identity, self.job, attempt), request)
            with self._cancelled_with_user(number):
                run = self._look(number)
                old = number in before and _over(run)
                if not old:
                    run = self._follow(run)
            if _succeeded(run) and (not old or usable()):
                return run.run_page_url or ""
            if not old:
                raise RunFailedError(self._reason(run))
        raise AssertionError("counting has no end")

    def _start(self, idempotency_token: str, request: LakeRequest) -> int:
        parameters = {REQUEST: request.model_dump_json()}
        waiting = self._ask(
            "start the training run",
            lambda: self.client.jobs.run_now(self.job, job_parameters=parameters, idempotency_token=idempotency_token),
        )
        return int(waiting.run_id)

    def _look(self, number: int) -> "Run":
        return self._ask("look at the training run", lambda: self.client.jobs.get_run(number))

    def _follow(self, run: "Run") -> "Run":
        """Wait for the end of the run, and report its URL and stage meanwhile."""
        self.context.report(self._stage(run))
        while not _over(run):
            pause(self.context)
            run = self._look(run.run_id or 0)
            self.context.report(self._stage(run))
        return run

    @contextmanager
    def _cancelled_with_user(self, number: int) -> Iterator[None]:
        """Cancel the run too if the user interrupts the block."""
        try:
            yield
        except (StepCancelledError, KeyboardInterrupt):
            self.client.jobs.cancel_run(number)
            raise

    def _reason(self, run: "Run") -> str:
        """Why a run failed: training's message, else the task's error, else Databricks' message about the run."""
        from databricks.sdk.errors.base import DatabricksError  # noqa: PLC0415 - an extra

        said = ""
        for task in run.tasks or []:
            try:
                output = self.client.jobs.get_run_output(task.run_id or 0)
            except DatabricksError:
                continue  # a run that never started has no output
            last = next(reversed((output.error or "").strip().splitlines()), "")  # without the traceback
            said = reason_in(output.error or "") or reason_in(output.logs or "") or last or said
        state = (run.state.state_message if run.state else None) or ""
        reason = _ended(said.strip() or _library_missing(state) or state or "Databricks gives no reason")
        return f"The training run failed: {reason} The run is {run.run_page_url}"

    def _ask(self, what: str, call: Callable[[], Answer]) -> Answer:
        return retried(what, call, self.context)

    def _stage(self, run: "Run") -> str:
        state = run.state
        life = state.life_cycle_state.value.lower().replace("_", " ") if state and state.life_cycle_state else "unknown"
        message = f", {state.state_message}" if state and state.state_message else ""
        return f"training run {life}{message}: {run.run_page_url}"


def token(identity: str, job: int, attempt: int) -> str:
    """64 hexadecimal digits, Databricks' maximum, different for each attempt."""
    return hashlib.sha256(f"{identity} {job} {attempt}".encode()).hexdigest()


def _over(run: "Run") -> bool:
    return run.state is not None and run.state.life_cycle_state is not None and run.state.life_cycle_state.value in OVER


def _succeeded(run: "Run") -> bool:
    return run.state is not None and run.state.result_state is not None and run.state.result_state.value == SUCCESS


def _library_missing(message: str) -> str:
    """What to do about a library that Databricks can't install; empty if that is not the message."""
    found = LIBRARY.search(message)
    if found is None:
        return ""
    cause = " ".join((found[2] or "Databricks gives no reason").split())
    if refused := REFUSED.search(cause):
        sentence = not_granted("read", READ, refused[1], cause)
        return f"Databricks can't install the library {found[1]}. {sentence}"
    return (
        f"Databricks can't install the library {found[1]}: {_ended(cause)} Run `up --refresh`, which uploads again "
        "what is missing in the stack's volume."
    )


def _ended(sentence: str) -> str:
    """`sentence` with a full stop at its end."""
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
