"""Keeps the workers alive: forks them, listens to their event loops' beats, and replaces those that end or hang.

The supervisor has imported the service and does nothing else, not even have a second thread: so a worker is there in a
fraction of a second, and shares the memory of what was imported.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from socket import socket

from scoring.worker.handover import Handover
from scoring.worker.logs import LogSink

LOOK_SECONDS = 0.05
HUNG_SECONDS = 4.0
"""A worker whose loop has not turned for so long is ended: a client that it keeps waiting is served elsewhere within
five seconds."""

START_SECONDS = 300.0
"""How long a worker may take until its first beat; Java takes the longest."""

PROVEN_SECONDS = 10.0
"""A worker that served for so long was well: when it ends, another one is started at once."""

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
"""Between two attempts to start a worker: each pause is twice the one before."""

KILL_SECONDS = 10.0
"""Beyond what a worker needs to let its clients finish."""

READY, NOT_READY = b"+", b"-"
"""What a worker's beat says: whether it scores."""

COULD_NOT_START = 3
"""Exit code of a worker that found no way to serve."""


@dataclass(kw_only=True)
class _Place:
    """One of the workers that there shall be."""

    process: int = 0
    """Its process id, 0 while there is none."""
    pulse: int = -1
    began: float = 0.0
    beat: float = 0.0
    """When its loop turned last, 0 before its first time."""
    ready: bool = False
    """Whether it scores, by its last beat."""
    failures: int = 0
    """How often in a row it ended before it had proven itself."""
    due: float = 0.0
    """When the next one is started."""


class Supervisor:
    """The processes of a service."""

    def __init__(
        self,
        work: Callable[[int], int],
        listeners: Sequence[socket],
        *,
        workers: int,
        drain_seconds: float,
        sink: LogSink,
        handover: Handover | None = None,
    ) -> None:
        """`work`, given the writing end of a pipe for its beats, is a worker's whole life and returns its exit code.

        This process closes `listeners` when it is told to end, as its workers do.
        """
        self._work = work
        self._listeners = listeners
        self._places = [_Place() for _ in range(workers)]
        self._drain_seconds = drain_seconds
        self._sink = sink
        self._handover = handover
        self._stopping = False
        self._served = False

    def run(self) -> int:
        """Supervise until a signal ends it, or until no worker could start at all; returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        code = 0
        while not self._stopping:
            for place in self._places:
                if not place.process and time.monotonic() >= place.due:
                    self._start(place)
            self._listen()
            ended = [self._tend(place) for place in self._places]
            if COULD_NOT_START in ended and not self._served:
                code = 1
                break
            self._sink.rotate()
            self._sink.flush()
        self._end_all()
        return code

    def _stop(self, _signal: int, _frame: object) -> None:
        self._stopping = True

    def _start(self, place: _Place) -> None:
        reading, writing = os.pipe()
        self._sink.flush()  # what waits would be written twice
        process = os.fork()
        if not process:
            self._become_worker(reading, writing)
        os.close(writing)
        os.set_blocking(reading, False)
        place.process, place.pulse, place.began, place.beat = process, reading, time.monotonic(), 0.0
        place.ready = False

    def _become_worker(self, reading: int, writing: int) -> None:
        """Work, and end the process. It keeps no end of another worker's pipe, which would hide the other's end."""
        code = COULD_NOT_START
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            os.close(reading)
            if self._handover is not None:
                self._handover.close()
            for place in self._places:
                if place.process:
                    os.close(place.pulse)
            code = self._work(writing)
        finally:
            os._exit(code)

    def _listen(self) -> None:
        pulses = {place.pulse: place for place in self._places if place.process}
        asked = [] if self._handover is None else [self._handover.fileno()]
        if not (pulses or asked):
            time.sleep(LOOK_SECONDS)
            return
        ready, _, _ = select.select([*pulses, *asked], [], [], LOOK_SECONDS)
        for pulse in ready:
            if pulse in asked:
                self._hand_over()
                continue
            try:
                beats = os.read(pulse, 4096)
            except BlockingIOError:
                continue
            if beats:
                pulses[pulse].beat = time.monotonic()
                pulses[pulse].ready = beats.endswith(READY)
                self._served = True
        if ready:
            time.sleep(LOOK_SECONDS)  # a pipe that has ended is always ready

    def _hand_over(self) -> None:
        if self._handover is not None:
            serving = [place for place in self._places if place.process and place.beat]
            ready = sum(place.ready for place in serving)
            self._handover.answer(workers=len(self._places), serving=len(serving), ready=ready)

    def _tend(self, place: _Place) -> int | None:
        """Bury a worker that ended, or hangs; returns the exit code of one that ended."""
        if not place.process:
            return None
        now = time.monotonic()
        last = place.beat or place.began + START_SECONDS - HUNG_SECONDS
        if now - last > HUNG_SECONDS:
            self._sink.event("a worker hangs and is ended", level="error", process=place.process)
            os.kill(place.process, signal.SIGKILL)
            os.waitpid(place.process, 0)
            code = -int(signal.SIGKILL)
        else:
            found, status = os.waitpid(place.process, os.WNOHANG)
            if not found:
                return None
            code = os.waitstatus_to_exitcode(status)
        self._bury(place, now, code)
        return code

    def _bury(self, place: _Place, now: float, code: int) -> None:
        proven = bool(place.beat) and now - place.began > PROVEN_SECONDS
        place.failures = 0 if proven else place.failures + 1
        pause = 0.0
        if place.failures > 1 or code == COULD_NOT_START:
            pause = min(FIRST_PAUSE_SECONDS * 2 ** (place.failures - 1), LONGEST_PAUSE_SECONDS)
        if not self._stopping:
            self._sink.event(
                "a worker ended", level="error", process=place.process, code=code, next_in_seconds=round(pause, 1)
            )
        os.close(place.pulse)
        place.process, place.due = 0, now + pause

    def _end_all(self) -> None:
        if self._handover is not None:
            self._handover.close()
        for listener in self._listeners:
            listener.close()
        for place in self._places:
            if place.process:
                os.kill(place.process, signal.SIGTERM)
        end = time.monotonic() + self._drain_seconds + KILL_SECONDS
        for place in self._places:
            while place.process:
                found, _ = os.waitpid(place.process, os.WNOHANG)
                if found:
                    place.process = 0
                elif time.monotonic() > end:
                    os.kill(place.process, signal.SIGKILL)
                    end += KILL_SECONDS
                else:
                    time.sleep(LOOK_SECONDS)
