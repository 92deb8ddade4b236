"""Admission: when a worker accepts another request, and when it refuses one at once for lack of time."""

import pytest

from scoring.http import admission
from scoring.http.admission import ALWAYS_TAKEN, MEMORY_SECONDS, Queue
from tests.support.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The queue's clock."""
    made = Clock()
    monkeypatch.setattr(admission, "time", made)
    return made


def test_a_queue_is_full_with_its_most_requests() -> None:
    queue = Queue(maximum=3, seconds=1.0)
    for _ in range(3):
        assert not queue.full()
        queue.enter()
    assert queue.full()
    queue.answer(1)
    assert not queue.full()


def test_slow_answers_make_the_queue_shorter(clock: Clock) -> None:
    queue = Queue(maximum=1000, seconds=0.02)
    _answers(queue, clock, each=0.001)
    assert _length(queue) == pytest.approx(21, abs=1)
    _answers(queue, clock, each=0.0001)
    assert _length(queue) == pytest.approx(201, abs=5)


def test_a_stop_of_the_machine_is_no_reason_to_refuse(clock: Clock) -> None:
    """Java pauses for some 50 milliseconds now and then; answers after a pause are as fast as before."""
    queue = Queue(maximum=1000, seconds=0.1)
    _answers(queue, clock, each=0.0002)
    before = _length(queue)
    clock.now += 0.05
    queue.answer(1)
    assert _length(queue) > 0.9 * before


def test_a_pause_without_requests_is_not_taken_for_slowness(clock: Clock) -> None:
    queue = Queue(maximum=1000, seconds=0.02)
    _answers(queue, clock, each=0.001)
    before = _length(queue)
    for _ in range(queue.waiting):
        clock.now += 0.001
        queue.answer(1)
    clock.now += 3600
    queue.enter()
    clock.now += 0.001
    queue.answer(1)
    assert _length(queue) == pytest.approx(before, abs=2)


def test_a_few_requests_are_taken_whatever_came_before(clock: Clock) -> None:
    queue = Queue(maximum=1000, seconds=0.02)
    _answers(queue, clock, each=10.0)
    assert _length(queue) == ALWAYS_TAKEN


def test_answers_given_together_share_their_time(clock: Clock) -> None:
    queue = Queue(maximum=1000, seconds=0.02)
    for _ in range(10):
        for _ in range(64):
            queue.enter()
        clock.now += 0.064
        queue.answer(64)
    assert _length(queue) == pytest.approx(21, abs=1)


def _answers(queue: Queue, clock: Clock, *, each: float) -> None:
    """Answer requests one by one for longer than the queue's memory, until none waits."""
    for _ in range(max(200, int(10 * MEMORY_SECONDS / each))):
        queue.enter()
    while queue.waiting:
        clock.now += each
        queue.answer(1)


def _length(queue: Queue) -> int:
    while not queue.full():
        queue.enter()
    return queue.waiting
