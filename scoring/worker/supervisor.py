"""Keeps the workers alive: forks them, receives their event loops' heartbeats, and replaces those that end or hang.

The supervisor has imported the service but starts no thread, so it can fork safely. A forked worker starts within a
fraction of a second and shares the memory of the imported modules.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from socket import socket

from scoring.worker.logs import LogSink

LONGEST_TURN_SECONDS = 0.5
"""What a turn of a loop counts at most: turns take a tenth of a second."""

LOOK_SECONDS = 0.05
HUNG_SECONDS = 4.0
"""A worker without a heartbeat for this long is killed, so that its waiting clients can reach another worker within
five seconds."""

START_SECONDS = 300.0
"""How long a worker may take until its first heartbeat; Java takes longest."""

PROVEN_SECONDS = 10.0
"""A worker that ran for this long counts as healthy: when it ends, it is replaced at once."""

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
"""The longest pause between two attempts to start a worker; each pause is twice the previous one."""

KILL_SECONDS = 10.0
"""How long a worker may take to end, in addition to the time for which it drains its connections."""

ENDING = (signal.SIGTERM, signal.SIGINT)

COULD_NOT_START = 3
"""Exit code of a worker that could not start serving, or failed."""


class RunningTime:
    """Seconds for which this process ran, as far as a loop tells that asks in each of its turns.

    Of a longer turn, in which it stood still as in a frozen virtual machine, only `LONGEST_TURN_SECONDS` count: whoever
    was waited for could not act meanwhile either, or could not be heard.
    """

    def __init__(self) -> None:
        """The first turn begins."""
        self.now = 0.0
        """When the latest turn began."""
        self.stood_still = 0.0
        """What of the turn before it does not count."""
        self._began = time.monotonic()

    def turn(self) -> float:
        """Begin the next turn; returns when."""
        before, self._began = self._began, time.monotonic()
        counted = min(self._began - before, LONGEST_TURN_SECONDS)
        self.stood_still = self._began - before - counted
        self.now += counted
        return self.now


@dataclass(kw_only=True)
class _Place:
    """The place of one of the configured workers."""

    number: int
    process: int = 0
    """The worker's process id; 0 while there is none."""
    pulse: int = -1
    began: float = 0.0
    beat: float | None = None
    """The time of its latest heartbeat."""
    failures: int = 0
    """How many workers in a row ended before `PROVEN_SECONDS`."""
    due: float = 0.0
    """When the next worker may be started."""


class Supervisor:
    """Supervises a service's worker processes."""

    def __init__(
        self,
        work: Callable[[int, int], int],
        ended: Callable[[int], None],
        listeners: Sequence[socket],
        *,
        workers: int,
        drain_seconds: float,
        sink: LogSink,
    ) -> None:
        """`work` runs a worker and returns its exit code; its arguments are the worker's place, from 0, and the pipe to
        which heartbeats are written. `ended` is called with the place of a worker that has ended.

        When told to end, this process closes `listeners`, as the workers do.
        """
        self._work = work
        self._ended = ended
        self._listeners = listeners
        self._places = [_Place(number=number) for number in range(workers)]
        self._drain_seconds = drain_seconds
        self._sink = sink
        self._stopping = False
        self._served = False
        self._time = RunningTime()

    def run(self) -> int:
        """Supervise until a signal, or until a worker fails to start before any has served; returns the exit code."""
        for number in ENDING:
            signal.signal(number, self._stop)
        code = 0
        while not self._stopping:
            for place in self._places:
                if not place.process and self._time.now >= place.due:
                    self._start(place)
            self._listen()
            self._time.turn()
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
        self._sink.flush()  # or the child would write the buffered lines again
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # until the child has its own handlers
        process = os.fork()
        if not process:
            self._become_worker(place, reading, writing)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        os.close(writing)
        os.set_blocking(reading, False)
        place.process, place.pulse, place.began, place.beat = process, reading, self._time.now, None

    def _become_worker(self, own: _Place, reading: int, writing: int) -> None:
        """Run a worker, then end the process.

        Closes the inherited pipes of the other workers: while one is open here, its worker doesn't notice that the
        supervisor has ended.
        """
        code = COULD_NOT_START
        try:
            for number in ENDING:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
            os.close(reading)
            for place in self._places:
                if place.process:
                    os.close(place.pulse)
            code = self._work(own.number, writing)
        finally:
            os._exit(code)

    def _listen(self) -> None:
        pulses = {place.pulse: place for place in self._places if place.process}
        if not pulses:
            time.sleep(LOOK_SECONDS)
            return
        ready, _, _ = select.select(list(pulses), [], [], LOOK_SECONDS)
        for pulse in ready:
            try:
                beats = os.read(pulse, 4096)
            except BlockingIOError:
                continue
            if beats:
                pulses[pulse].beat = self._time.now
                self._served = True
        if ready:
            time.sleep(LOOK_SECONDS)  # the pipe of a worker that has ended is always ready

    def _tend(self, place: _Place) -> int | None:
        """Clean up after a worker that has ended, or that hangs and is killed; returns its exit code, else None."""
        if not place.process:
            return None
        now = self._time.now
        last = place.began + START_SECONDS - HUNG_SECONDS if place.beat is None else place.beat
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
        proven = place.beat is not None and now - place.began > PROVEN_SECONDS
        place.failures = 0 if proven else place.failures + 1
        pause = 0.0
        if place.failures > 1 or code == COULD_NOT_START:
            pause = min(FIRST_PAUSE_SECONDS * 2 ** (place.failures - 1), LONGEST_PAUSE_SECONDS)
        if not self._stopping:
            self._sink.event(
                "a worker ended", level="error", process=place.process, code=code, next_in_seconds=round(pause, 1)
            )
        os.close(place.pulse)
        self._ended(place.number)
        place.process, place.due = 0, now + pause
        return code

    def _end_all(self) -> None:
        for listener in self._listeners:
            listener.close()
        for place in self._places:
            if place.process:
                os.kill(place.process, signal.SIGTERM)
        end = self._time.turn() + self._drain_seconds + KILL_SECONDS
        for place in self._places:
            while place.process:
                now = self._time.turn()
                found, _ = os.waitpid(place.process, os.WNOHANG)
                if found:
                    place.process = 0
                elif now > end:
                    os.kill(place.process, signal.SIGKILL)
                    end += KILL_SECONDS
                else:
                    time.sleep(LOOK_SECONDS)
