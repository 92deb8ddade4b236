"""Moves a running service from one image to another, one process at a time, and back if that fails."""

import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from features.errors import PersonalizationError
from features.files import written_aside
from steps.local.probe import Probe, wait_until
from steps.local.supervision import Supervisor, SupervisorError, Worker
from steps.provider.step import Context, StepCancelledError
from steps.shared.folders import StackFolder

READY_SECONDS = 90.0
SETTLE_SECONDS = 3.0
"""How long a restarted process gets before the next one, where its answers look like those of the old one."""
PROBES_PER_WORKER = 8
"""Answers in a row; each reaches a process at random, so all of them are asked with high probability."""
LAST_LINES = 3


class RolloutFailedError(PersonalizationError):
    """An image that did not become ready."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is to be served: an image, its model version, supervisord's configuration, and how to ask the service."""

    digest: str
    version: int
    configuration: str
    workers: int
    probe: Probe


class Rollout:
    """The service of one stack."""

    def __init__(self, folder: StackFolder, supervisor: Supervisor, context: Context) -> None:
        """Work on the service in `folder.service`."""
        self._folder = folder
        self._supervisor = supervisor
        self._context = context
        self._current = folder.service / "current"
        self._served = folder.service / "served"

    def to(self, target: Target) -> None:
        """Serve `target`; when that fails, what served before serves again and the error is raised."""
        before = self._image(), self._supervisor.configuration()
        if self._serves(target):
            return
        try:
            self._switch(target)
        except (RolloutFailedError, SupervisorError, StepCancelledError):
            self._back(*before)
            raise

    def _serves(self, target: Target) -> bool:
        """Whether a finished rollout left exactly this, and it runs."""
        finished = self._served.is_file() and self._served.read_text() == target.digest
        same = self._supervisor.configuration() == target.configuration
        if not (finished and same and self._supervisor.runs()):
            return False
        return all(target.probe.version() == str(target.version) for _ in range(target.workers))

    def _switch(self, target: Target) -> None:
        self._served.unlink(missing_ok=True)
        _point(self._current, self._folder.image(target.digest))
        if self._supervisor.runs() and self._supervisor.configuration() == target.configuration:
            for worker in self._supervisor.workers():
                self._context.report(f"rolling out: {worker.name} of {target.workers}")
                self._replace(worker, target)
        else:
            self._context.report(f"starting {target.workers} processes")
            self._supervisor.stop()
            self._supervisor.write(target.configuration)
            self._supervisor.start()
        self._context.report("waiting until the service reproduces the golden records")
        self._await(target, times=PROBES_PER_WORKER * target.workers)
        self._served.write_text(target.digest)

    def _replace(self, worker: Worker, target: Target) -> None:
        """Restart one process and wait until it answers, so that the others are never restarted without it."""
        distinct = target.probe.version() != str(target.version)
        self._supervisor.restart(worker)
        deadline = time.monotonic() + SETTLE_SECONDS
        if distinct:
            self._await(target, times=1)
            return
        while time.monotonic() < deadline:
            self._context.raise_if_cancelled()
            time.sleep(0.1)

    def _await(self, target: Target, *, times: int) -> None:
        """Wait for so many right answers in a row; raises `RolloutFailedError` when they do not come."""

        def holds() -> bool:
            if any(worker.state == "FATAL" for worker in self._supervisor.workers()):
                raise self._failure(target)
            return target.probe.version() == str(target.version)

        if not wait_until(holds, times=times, seconds=READY_SECONDS, context=self._context):
            raise self._failure(target)

    def _failure(self, target: Target) -> RolloutFailedError:
        return RolloutFailedError(
            f"Model version {target.version} did not become ready{self._last_words()}. What served before serves "
            f"again. The logs are in {self._folder.service}."
        )

    def _back(self, image: Path | None, configuration: str | None) -> None:
        """Serve what served before, or nothing when nothing did."""
        self._supervisor.stop()
        if image is None or configuration is None:
            self._current.unlink(missing_ok=True)
            return
        _point(self._current, image)
        self._supervisor.write(configuration)
        self._supervisor.start()

    def _image(self) -> Path | None:
        return self._current.readlink() if self._current.is_symlink() else None

    def _last_words(self) -> str:
        lines = deque[str](maxlen=LAST_LINES)
        for log in sorted(self._folder.service.glob("scoring_*.log"))[:1]:
            lines.extend(line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip())
        return f": {' '.join(lines)}" if lines else ""


def _point(link: Path, target: Path) -> None:
    """Point a symbolic link elsewhere in one step, so that it never leads nowhere."""
    with written_aside(link) as aside:
        aside.symlink_to(target)
