"""What a run of mutants makes of its results: a fault that got past the tests fails it, a slow machine does not."""

from collections.abc import Sequence
from itertools import product
from typing import cast

import pytest

from tests.mutants import run
from tests.mutants.mutant import Fate, Mutant, Outcome
from tests.mutants.run import MISSED, NOTICED, outcomes, summed_up
from tests.mutants.workshop import SECONDS, Workshop
from tests.support.clock import Clock

MUTANTS = [Mutant(name=name, file="a.py", before="1", after="2", tests=("a",)) for name in ("one", "two")]


class Slow:
    """A workshop in which each mutant takes until its time is up, by `clock`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.given: list[float] = []

    def test(self, mutant: Mutant, *, seconds: float, chosen: Sequence[str]) -> Outcome:
        """Move the clock by `seconds`."""
        del chosen
        self.given.append(seconds)
        self._clock.now += seconds
        return _outcome(Fate.UNTESTED, mutant.name)


def _outcome(fate: Fate, name: str = "one") -> Outcome:
    return Outcome(name=name, fate=fate, seconds=1.0, noticed=(), said="what pytest said")


@pytest.mark.parametrize(("fate", "sample"), list(product(Fate, [False, True])))
def test_no_result_fails_the_whole_list_and_no_sample(fate: Fate, sample: bool) -> None:  # noqa: FBT001 - a parameter
    good = {Fate.KILLED, Fate.UNTESTED} if sample else {Fate.KILLED}
    found = [_outcome(Fate.KILLED, "two"), _outcome(fate)]
    assert summed_up(found, 2, sample=sample) == (NOTICED if fate in good else MISSED)


def test_what_was_not_killed_and_what_had_no_time_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    summed_up([_outcome(Fate.KILLED), _outcome(Fate.UNTESTED, "two")], 5, sample=True)
    said = capsys.readouterr().err
    assert "two: untested\nwhat pytest said" in said
    assert "1 of 2 listed mutants were killed; 1 had no result; there was no time for 3 more" in said


def test_the_time_of_a_sample_ends_the_tests_that_still_run_and_no_mutant_begins_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(run, "time", clock)
    slow = Slow(clock)
    found = list(outcomes(MUTANTS, [cast("Workshop", slow)], until=SECONDS / 2))
    assert [outcome.name for outcome in found] == ["one"]
    assert slow.given == [SECONDS / 2]
