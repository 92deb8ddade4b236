"""Connection limits: which client is disconnected when there is no space, and how often a client may ask."""

from typing import Any
from unittest.mock import MagicMock

import pytest

from scoring.http.admission import MAX_ADDRESSES, AddressRates, Rate
from scoring.http.clients import FEWEST_STRANGERS, OF_ONE_ADDRESS, Clients

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
