"""One-time runs on Databricks: other code than a job's, on a cluster like the job's.

They need no object in the workspace, and the wheel is that of the command that starts them.
"""

import uuid
from dataclasses import dataclass

from databricks.sdk.service.compute import Library
from databricks.sdk.service.jobs import BaseRun, JobRunAs, PythonWheelTask, RunType, SubmitTask

from features.errors import PersonalizationError
from steps.azure.databricks_run import RunFailedError, Runs
from tools.setup.wheels import PROJECT


class RunBusyError(PersonalizationError):
    """Another one-time run is going on."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a run does: `entry_point` of the wheel in `requirements`, with `request` as the only parameter."""

    name: str
    """The same for all runs that do the same."""
    entry_point: str
    requirements: str
    """Path of the requirements file on the cluster."""
    request: str
    run_as: str | None
    """Application ID of a service principal; None for the caller."""


class OneTimeRuns(Runs):
    """The one-time runs of a workspace, one after the other."""

    def succeed(self, work: Work, job: int) -> str:
        """Do this work on a cluster like the one of `job`, or follow the run that already does; return the run's URL.

        Raises `RunBusyError` while another one goes on, and `RunFailedError` with the task's error. After Ctrl-C the
        run is cancelled.
        """
        active = self._ask("list the runs", self._active)
        for run in active:
            if run.run_name != work.name:
                raise RunBusyError(
                    f"Another run is going on: {run.run_page_url}. Wait for its end or cancel it there, then run this "
                    "again."
                )
        return self.finish(active[0].run_id or 0 if active else self._submit(work, job))

    def _submit(self, work: Work, job: int) -> int:
        definition = self._ask("read the training job", lambda: self.client.jobs.get(job)).settings
        if definition is None or not definition.job_clusters:
            raise RunFailedError("The training job has no cluster any more. Run `up --refresh`, then this again.")
        task = SubmitTask(
            task_key=work.entry_point,
            new_cluster=definition.job_clusters[0].new_cluster,
            libraries=[Library(requirements=work.requirements)],
            python_wheel_task=PythonWheelTask(
                package_name=PROJECT, entry_point=work.entry_point, parameters=[work.request]
            ),
            timeout_seconds=definition.timeout_seconds,
        )
        once = uuid.uuid4().hex
        waiting = self._ask(
            f"start the {self.name}",
            lambda: self.client.jobs.submit(
                run_name=work.name,
                tasks=[task],
                run_as=None if work.run_as is None else JobRunAs(service_principal_name=work.run_as),
                idempotency_token=once,
            ),
        )
        return int(waiting.run_id)

    def _active(self) -> list[BaseRun]:
        return list(self.client.jobs.list_runs(active_only=True, run_type=RunType.SUBMIT_RUN))
