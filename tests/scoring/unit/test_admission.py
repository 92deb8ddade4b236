"""Admission: when a worker accepts another request or connection, and which client goes when there is no space."""

from typing import Any
from unittest.mock import MagicMock

import pytest

from scoring.http import admission
from scoring.http.admission import ALWAYS_TAKEN, MAX_ADDRESSES, MEMORY_SECONDS, AddressRates, Queue, Rate
from scoring.http.clients import FEWEST_STRANGERS, OF_ONE_ADDRESS, Clients
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


MOST_OF_ADDRESS = FEWEST_STRANGERS // OF_ONE_ADDRESS
State = dict[str, Any]
IDLE: State = {"idle": True, "busy": False}
SLOW: State = {"idle": False, "busy": False}
BUSY: State = {"idle": False, "busy": True}


def someone(address: str = "10.0.0.1", **state: object) -> Any:
    """A connection, which is idle unless the test says otherwise."""
    return MagicMock(address=address, deadline=0.0, **IDLE | state)


@pytest.mark.parametrize(
    ("others", "newest", "is_let_in", "ended"),
    [
        ([someone("10.0.0.2"), someone(**SLOW)] + [someone() for _ in range(MOST_OF_ADDRESS - 1)], someone(), True, 2),
        ([someone(f"10.0.1.{number}") for number in range(FEWEST_STRANGERS)], someone(), True, 0),
        ([someone(**BUSY) for _ in range(MOST_OF_ADDRESS)], someone(), False, None),
        ([someone(**BUSY) for _ in range(MOST_OF_ADDRESS)], someone("10.0.0.2"), True, None),
    ],
    ids=["an address is crowded", "there are many addresses", "all of an address are busy", "another address"],
)
def test_a_new_stranger_takes_the_place_of_the_oldest_idle_one(
    others: list[Any], newest: Any, *, is_let_in: bool, ended: int | None
) -> None:
    clients = Clients(2)
    assert all(clients.let_in(one) for one in others)
    assert clients.let_in(newest) is is_let_in
    assert [place for place, one in enumerate(others) if one.end.called] == ([] if ended is None else [ended])


def test_no_more_clients_with_a_key_than_there_is_room_for_and_the_longest_idle_goes() -> None:
    clients = Clients(2)
    busy, longest, shorter, newest = someone(**BUSY), *(someone(f"10.0.0.{n}") for n in range(2, 5))
    longest.deadline, shorter.deadline = 1.0, 2.0
    for one in (longest, shorter):
        clients.let_in(one)
        assert clients.recognize(one)
    clients.let_in(newest)
    assert clients.recognize(newest)
    assert (longest.end.called, shorter.end.called) == (True, False)
    assert len(clients) == 2
    clients.let_in(busy)
    shorter.idle = newest.idle = False
    assert not clients.recognize(busy)
    assert not shorter.end.called


def test_a_closed_connection_makes_room_for_its_address() -> None:
    clients = Clients(2)
    for _ in range(3 * MOST_OF_ADDRESS):
        one = someone(**BUSY)
        assert clients.let_in(one)
        clients.drop(one)
    assert len(clients) == 0


def test_a_pause_of_the_machine_takes_nothing_of_a_clients_time() -> None:
    clients = Clients(1)
    client = someone()
    client.deadline = 3.0
    clients.let_in(client)
    clients.sweep(10.0, 8.0)
    client.expire.assert_not_called()
    clients.sweep(11.5)
    client.expire.assert_called_once_with(11.5)


def test_a_rate_lets_as_many_through_as_a_second_has() -> None:
    rate = Rate(3.0)
    assert [rate.take(100.0) for _ in range(5)] == [True, True, True, False, False]
    assert [rate.take(100.4) for _ in range(2)] == [True, False]
    assert sum(rate.take(200.0) for _ in range(10)) == 3


def test_addresses_without_end_take_no_memory_without_end() -> None:
    rates = AddressRates(each=1.0, together=1e9)
    assert rates.take("first", 1.0)
    assert not rates.take("first", 1.0)
    for number in range(MAX_ADDRESSES):
        rates.take(str(number), 1.0)
    assert rates.take("first", 1.0), "it was forgotten"
