"""One run of a Databricks job, found again by its token: followed while it lasts, stopped when the user interrupts.

`run_now` answers with the run that has the token, also with one that failed long ago; another attempt is another token.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.jobs import Run, RunLifeCycleState, RunResultState

from azure_clients.retries import Timeout, pause, retried
from features.errors import PersonalizationError
from steps.provider.step import Context, StepCancelledError
from steps.shared.training_streams import reason_in
from training.request import LakeRequest

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

OVER = {RunLifeCycleState.TERMINATED, RunLifeCycleState.SKIPPED, RunLifeCycleState.INTERNAL_ERROR}
REQUEST = "request"
"""The job's one parameter (`infra.cloud.training.training_job`)."""
Answer = TypeVar("Answer")
Usable = Callable[[], bool]


class RunFailedError(PersonalizationError):
    """A run that did not succeed."""


@dataclass(frozen=True)
class JobRuns:
    """The runs of the job `job`."""

    client: "WorkspaceClient"
    job: int
    context: Context
    timeout: Timeout
    name: str = "training run"
    """What one is called in what is reported."""

    def succeed(self, identity: str, request: LakeRequest, usable: Usable) -> str:
        """Let a run for `identity` succeed, unless one has, and return its address.

        `usable` says whether what an old run left is still there. Raises `RunFailedError` with the task's own
        sentence; after an interruption the run is cancelled and `StepCancelledError` raised.
        """
        before = {run.run_id for run in self._ask("list the runs", lambda: list(self._listed()))}
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

    def _listed(self) -> Any:  # noqa: ANN401 - the SDK's iterator
        return self.client.jobs.list_runs(job_id=self.job)

    def _start(self, idempotency_token: str, request: LakeRequest) -> int:
        parameters = {REQUEST: request.model_dump_json()}
        waiting = self._ask(
            f"start the {self.name}",
            lambda: self.client.jobs.run_now(self.job, job_parameters=parameters, idempotency_token=idempotency_token),
        )
        return int(waiting.run_id)

    def _look(self, number: int) -> Run:
        return self._ask(f"look at the {self.name}", lambda: self.client.jobs.get_run(number))

    def _follow(self, run: Run) -> Run:
        """The run when it is over; its address and stage are shown meanwhile."""
        self.context.report(self._stage(run))
        while not _over(run):
            pause(self.timeout.pause, self.context)
            run = self._look(run.run_id or 0)
            self.context.report(self._stage(run))
        return run

    @contextmanager
    def _cancelled_with_user(self, number: int) -> Iterator[None]:
        """An interruption in the block ends the run too: nobody would wait for it."""
        try:
            yield
        except StepCancelledError:
            self.client.jobs.cancel_run(number)
            raise

    def _reason(self, run: Run) -> str:
        """Why a run failed: training's sentence, else the task's error, else what Databricks says about the run."""
        said = ""
        for task in run.tasks or []:
            try:
                output = self.client.jobs.get_run_output(task.run_id or 0)
            except DatabricksError:
                continue  # a run that never began has no output
            said = reason_in(output.error or "") or reason_in(output.logs or "") or _last_line(output.error) or said
        state = run.state.state_message if run.state else None
        reason = _ended(said.strip() or state or "Databricks does not say why")
        return f"The {self.name} failed: {reason} The run is {run.run_page_url}"

    def _stage(self, run: Run) -> str:
        state = run.state
        life = state.life_cycle_state.value.lower().replace("_", " ") if state and state.life_cycle_state else "unknown"
        message = f", {state.state_message}" if state and state.state_message else ""
        return f"{self.name} {life}{message}: {run.run_page_url}"

    def _ask(self, what: str, call: Callable[[], Answer]) -> Answer:
        return retried(what, call, self.context, self.timeout)


def token(identity: str, job: int, attempt: int) -> str:
    """64 hexadecimal digits, the most that Databricks takes, that differ for each attempt."""
    return hashlib.sha256(f"{identity} {job} {attempt}".encode()).hexdigest()


def _over(run: Run) -> bool:
    return run.state is not None and run.state.life_cycle_state in OVER


def _succeeded(run: Run) -> bool:
    return run.state is not None and run.state.result_state == RunResultState.SUCCESS


def _last_line(error: str | None) -> str:
    """What an exception says, without the trace before it."""
    return next(reversed((error or "").strip().splitlines()), "")


def _ended(sentence: str) -> str:
    """`sentence` with a full stop, so that another one can follow."""
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
