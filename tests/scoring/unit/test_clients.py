"""Connection limits: which client is disconnected when there is no space, and how often a client may ask."""

from scoring.http.admission import MAX_ADDRESSES, AddressRates, Rate
from scoring.http.clients import FEWEST_STRANGERS, OF_ONE_ADDRESS, Clients
from scoring.worker.keys import Key

MOST_OF_ADDRESS = FEWEST_STRANGERS // OF_ONE_ADDRESS


class Someone:
    """A connection whose state a test sets."""

    def __init__(self, address: str = "10.0.0.1", *, idle: bool = True, busy: bool = False) -> None:
        self.address = address
        self.deadline = 0.0
        self.key: Key | None = None
        self.idle = idle
        self.busy = busy
        self.ended = self.expired = False

    def farewell(self) -> None:
        """Send nothing."""

    def revoke(self) -> None:
        """Send nothing."""

    def end(self) -> None:
        """Record the call."""
        self.ended = True

    def expire(self, _: float) -> None:
        """Record the call."""
        self.expired = True


def test_the_oldest_idle_stranger_of_a_crowded_address_goes_first() -> None:
    clients = Clients(2)
    elsewhere = Someone("10.0.0.2")
    slow = Someone(idle=False)
    others = [Someone() for _ in range(MOST_OF_ADDRESS - 1)]
    for one in (elsewhere, slow, *others):
        assert clients.let_in(one)
    newest = Someone()
    assert clients.let_in(newest)
    assert [one.ended for one in (elsewhere, slow, *others, newest)] == [False, False, True] + [False] * (
        MOST_OF_ADDRESS - 1
    )


def test_strangers_of_many_addresses_have_room_together() -> None:
    clients = Clients(2)
    many = [Someone(f"10.0.1.{number}") for number in range(FEWEST_STRANGERS + 3)]
    for one in many:
        assert clients.let_in(one)
    assert [one.ended for one in many] == [True] * 3 + [False] * FEWEST_STRANGERS
    assert len(clients) == FEWEST_STRANGERS


def test_busy_clients_stay_and_new_ones_are_rejected() -> None:
    clients = Clients(2)
    busy = [Someone(idle=False, busy=True) for _ in range(MOST_OF_ADDRESS)]
    assert all(clients.let_in(one) for one in busy)
    assert not clients.let_in(Someone())
    assert clients.let_in(Someone("10.0.0.2"))
    assert not any(one.ended for one in busy)


def test_no_more_clients_with_a_key_than_there_is_room_for_and_the_longest_idle_goes() -> None:
    clients = Clients(2)
    busy, longest, shorter, newest = Someone(idle=False, busy=True), *(Someone(f"10.0.0.{n}") for n in range(2, 5))
    longest.deadline, shorter.deadline = 1.0, 2.0
    for one in (longest, shorter):
        clients.let_in(one)
        assert clients.recognize(one)
    clients.let_in(newest)
    assert clients.recognize(newest)
    assert (longest.ended, shorter.ended) == (True, False)
    assert len(clients) == 2
    clients.let_in(busy)
    shorter.idle = newest.idle = False
    assert not clients.recognize(busy)
    assert not shorter.ended


def test_a_closed_connection_makes_room_for_its_address() -> None:
    clients = Clients(2)
    for _ in range(3 * MOST_OF_ADDRESS):
        one = Someone(idle=False, busy=True)
        assert clients.let_in(one)
        clients.drop(one)
    assert len(clients) == 0


def test_a_pause_of_the_machine_takes_nothing_of_a_clients_time() -> None:
    clients = Clients(1)
    client = Someone()
    client.deadline = 3.0
    clients.let_in(client)
    clients.sweep(10.0, 8.0)
    assert not client.expired
    clients.sweep(11.5)
    assert client.expired


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
