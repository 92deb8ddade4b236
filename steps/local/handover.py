"""Moves the service from one image to the next without a refused request.

Both serve for a moment: the next one gets a copy of the listening socket, and the current one ends when every worker of
the next one scores. Until then nothing is lost if it fails.
"""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from features.errors import PersonalizationError
from features.files import write_whole
from steps.descriptions.serving_settings import ScoringSettings
from steps.local.port import listener_at
from steps.local.probe import Probe, wait_until
from steps.local.service_processes import BACKLOG, ServiceProcesses, runs
from steps.provider.step import Context
from steps.shared.folders import StackFolder

READY_SECONDS = 90.0
LAST_LINES = 3


class RolloutFailedError(PersonalizationError):
    """An image that did not become ready."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is to be served: a command, which names the image, at an address, and how to ask it."""

    command: tuple[str, ...]
    variables: Mapping[str, str]
    settings: ScoringSettings
    version: int
    workers: int
    probe: Probe

    def text(self) -> str:
        """Command and address, to compare."""
        return json.dumps([*self.command, self.settings.host, self.settings.port])


def hand_over(folder: StackFolder, target: Target, context: Context) -> None:
    """Serve `target`; raises `RolloutFailedError`, and what served before goes on, when it does not become ready."""
    service = ServiceProcesses(folder)
    served = folder.service / "served"
    if _serves(service, served, target):
        return
    served.unlink(missing_ok=True)
    if service.state() is None:
        service.end(service.all())  # workers without a supervisor, or a service that hangs
    context.report(f"starting {target.workers} processes")
    with _listener(service, target.settings) as listener:
        before, logged = service.all(), service.log.stat().st_size if service.log.is_file() else 0
        started = service.start(target.command, target.variables, listener)
    context.report("waiting until the service reproduces the golden records")
    ready = False
    try:
        ready = _becomes_ready(service, started, context)
    finally:
        if not ready:
            service.end([process for process in service.all() if process not in before])
    if not ready:
        raise RolloutFailedError(
            f"Model version {target.version} did not become ready{_last_words(service.log, logged)}."
            f"{' What served before goes on serving.' if before else ''} The log is {service.log}."
        )
    service.take_over()
    service.end(before)
    write_whole(served, target.text())


def _serves(service: ServiceProcesses, served: Path, target: Target) -> bool:
    """Whether a finished rollout left exactly this, and it runs."""
    if not served.is_file() or served.read_text() != target.text() or service.state() is None:
        return False
    return target.probe.version() == str(target.version)


def _listener(service: ServiceProcesses, settings: ScoringSettings) -> socket.socket:
    """The socket of the service that runs, or a new one where it listens elsewhere or there is none."""
    current = listener_at(service, settings)
    if current is not None:
        return current
    address = settings.host, settings.port
    try:
        return socket.create_server(address, backlog=BACKLOG)
    except OSError:  # one of the two hosts contains the other: the port is ours, as was seen before
        service.end(service.all())
        return socket.create_server(address, backlog=BACKLOG)


def _becomes_ready(service: ServiceProcesses, started: int, context: Context) -> bool:
    """Wait until every worker of the service that was started scores, or until one never will."""
    ended = False

    def decided() -> bool:
        nonlocal ended
        state = service.next_state()
        ended = not runs(started) or (state is not None and state.serving == state.workers > state.ready)
        return ended or (state is not None and state.ready == state.workers)

    return wait_until(decided, times=1, seconds=READY_SECONDS, context=context) and not ended


def _last_words(log: Path, logged: int) -> str:
    """The last complaints of the log behind its first `logged` bytes."""
    if not log.is_file():
        return ""
    added = log.read_bytes()[logged:].decode(errors="replace").splitlines()
    lines = [line.strip() for line in added if line.strip() and ('"level":"error"' in line or not line.startswith("{"))]
    return f": {' '.join(lines[-LAST_LINES:])}" if lines else ""
