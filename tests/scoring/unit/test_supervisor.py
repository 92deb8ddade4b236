"""The supervisor, with a clock that the test moves: which workers it takes for hung, and what a signal reaches."""

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from scoring.worker import supervisor
from scoring.worker.logs import LogSink
from scoring.worker.supervisor import HUNG_SECONDS, START_SECONDS, Supervisor
from tests.support.clock import Clock

STEP = HUNG_SECONDS / 8
FREEZE = 10 * START_SECONDS


class Stepped(Supervisor):
    """Moves the clock by the next of `steps` in each turn, and stops after the last one."""

    def __init__(self, work: Callable[[int, int], int], clock: Clock, steps: Iterable[float], *, beats: bool) -> None:
        self.events: list[str] = []
        sink = SimpleNamespace(
            event=lambda event, **_: self.events.append(event), flush=lambda: None, rotate=lambda: None
        )
        super().__init__(work, lambda _: None, [], workers=1, drain_seconds=60, sink=cast("LogSink", sink))
        self._clock, self._steps, self._beats = clock, iter(steps), beats

    def start_one(self) -> int:
        """Start a worker as `run` does; returns its process id."""
        signal.signal(signal.SIGTERM, self._stop)
        self._start(self._places[0])
        return self._places[0].process

    def _listen(self) -> None:
        super()._listen()
        while self._beats and self._places[0].beat is None:
            super()._listen()
        step = next(self._steps, None)
        if step is None or "a worker ended" in self.events:
            self._stopping = True
        else:
            self._clock.now += step


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(now=1000.0)
    monkeypatch.setattr(made, "sleep", time.sleep, raising=False)  # so that the other processes compute
    monkeypatch.setattr(supervisor, "time", made)
    return made


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """Give pytest its handlers back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _beats_once(_: int, pulse: int) -> int:
    os.write(pulse, b"+")
    signal.pause()
    return 0


def _never_beats(*_: int) -> int:
    signal.pause()
    return 0


@pytest.mark.timeout(60)
@pytest.mark.parametrize("work", [_beats_once, _never_beats])
def test_a_pause_of_the_machine_costs_no_worker(clock: Clock, work: Callable[[int, int], int]) -> None:
    made = Stepped(work, clock, [STEP, FREEZE, STEP, STEP, FREEZE, STEP], beats=work is _beats_once)
    assert made.run() == 0
    assert made.events == []


@pytest.mark.timeout(60)
def test_a_worker_that_hangs_is_ended_also_after_a_pause(clock: Clock) -> None:
    made = Stepped(_beats_once, clock, [FREEZE, *[STEP] * 10], beats=True)
    assert made.run() == 0
    assert made.events == ["a worker hangs and is ended", "a worker ended"]


@pytest.mark.timeout(60)
def test_a_pause_while_the_workers_end_takes_nothing_of_their_time(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    told = os.pipe()

    def drains(_: int, pulse: int) -> int:
        signal.signal(signal.SIGTERM, lambda *_: None)
        os.write(pulse, b"+")
        os.read(told[0], 1)
        return 0

    def asked(process: int, options: int) -> tuple[int, int]:
        if signal.SIGTERM in sent and options == os.WNOHANG and clock.now < FREEZE:
            clock.now += FREEZE
            os.write(told[1], b"x")
            return 0, 0
        return os.waitpid(process, options)

    def kill(process: int, number: int) -> None:
        sent.append(number)
        os.kill(process, number)

    monkeypatch.setattr(supervisor, "os", SimpleNamespace(**{**vars(os), "waitpid": asked, "kill": kill}))
    assert Stepped(drains, clock, [STEP], beats=True).run() == 0
    assert sent == [signal.SIGTERM]


@pytest.mark.timeout(60)
def test_a_signal_right_after_the_fork_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        """Return in the child once the signal was sent to it."""
        reading, writing = os.pipe()
        process = os.fork()
        if not process:
            os.read(reading, 1)
            return 0
        os.kill(process, signal.SIGTERM)
        os.write(writing, b"x")
        return process

    monkeypatch.setattr(supervisor, "os", SimpleNamespace(**{**vars(os), "fork": fork}))
    process = Stepped(lambda *_: 0, Clock(), [], beats=False).start_one()
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGTERM
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()
