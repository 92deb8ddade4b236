"""Switches the service to a new image without refusing a request.

The new service gets a copy of the listening socket, so both serve for a moment. The current one ends once every worker
of the new one scores; if the new one fails before that, the current one simply keeps serving.
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
    """The service to run: its command, which names the image, its certificate, its address, and the probe for it."""

    command: tuple[str, ...]
    certificate_hash: str | None
    variables: Mapping[str, str]
    settings: ScoringSettings
    version: int
    workers: int
    probe: Probe

    def text(self) -> str:
        """Command, address and certificate as one string, for comparison."""
        certificate = [self.certificate_hash] if self.certificate_hash else []
        return json.dumps([*self.command, self.settings.host, self.settings.port, *certificate])


def hand_over(folder: StackFolder, target: Target, context: Context) -> None:
    """Serve `target`; if it doesn't become ready, raises `RolloutFailedError`, and the old service keeps serving."""
    service = ServiceProcesses(folder)
    if _serves(service, target):
        return
    if service.state() is None:
        service.end(service.all())  # workers without a supervisor, or a service that hangs
    service.served.unlink(missing_ok=True)
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
    write_whole(service.served, target.text())


def _serves(service: ServiceProcesses, target: Target) -> bool:
    """Whether the latest finished rollout was of exactly this target, and its service is running."""
    served = service.served
    if not served.is_file() or served.read_text() != target.text() or service.state() is None:
        return False
    return target.probe.version() == str(target.version)


def _listener(service: ServiceProcesses, settings: ScoringSettings) -> socket.socket:
    """The running service's socket; a new one if it listens at another address or nothing is running."""
    current = listener_at(service, settings)
    if current is not None:
        return current
    address = settings.host, settings.port
    try:
        return socket.create_server(address, backlog=BACKLOG)
    except OSError:  # the old and new hosts overlap; `require_port` has checked that our service holds the port
        service.end(service.all())
        return socket.create_server(address, backlog=BACKLOG)


def _becomes_ready(service: ServiceProcesses, started: int, context: Context) -> bool:
    """Wait for the started service; returns whether all its workers score, as soon as that is decided."""
    ended = False

    def decided() -> bool:
        nonlocal ended
        state = service.next_state()
        ended = not runs(started) or (state is not None and state.serving == state.workers > state.ready)
        return ended or (state is not None and state.ready == state.workers)

    return wait_until(decided, times=1, seconds=READY_SECONDS, context=context) and not ended


def _last_words(log: Path, logged: int) -> str:
    """The last errors in the log after its first `logged` bytes."""
    if not log.is_file():
        return ""
    added = log.read_bytes()[logged:].decode(errors="replace").splitlines()
    lines = [line.strip() for line in added if line.strip() and ('"level":"error"' in line or not line.startswith("{"))]
    return f": {' '.join(lines[-LAST_LINES:])}" if lines else ""
