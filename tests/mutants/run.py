"""`python -m tests.mutants.run`: does the suite notice small faults? Exits with 1 if it misses a listed one.

Each mutant of the lists in this folder runs the tests that it names. Faults that nobody chose (`blind.py`) run the
tests of their area; the share of them that is noticed is printed and decides nothing. All of it takes about an hour;
`--sample` takes a tenth of the list and ten blind faults, others each day, in at most ten minutes. A fault whose tests
end in no result (`untested`), as on a busy machine, proves nothing: it fails the whole list, but not a sample.
"""

import argparse
import math
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path
from queue import SimpleQueue

import msgspec

from tests.mutants.blind import AREAS, drawn
from tests.mutants.mutant import Fate, Mutant, MutantError, Outcome, listed
from tests.mutants.workshop import SECONDS, USUAL, Workshop

NOTICED, MISSED, UNUSABLE, INTERRUPTED = 0, 1, 2, 130
PARTS = 10
"""A sample has one of so many parts of the list."""
BLIND, BLIND_IN_SAMPLE = 40, 10
DAY_SECONDS = 86_400
SAMPLE_SECONDS = 520.0
"""When a sample ends: no mutant begins later, and the tests of a mutant that still run are stopped."""
BLIND_SECONDS = 100.0
"""Time limit for the tests of a blind fault; without a failure by then, it counts as not noticed."""
QUICK_FIRST = (f"{USUAL} and not spark and not engine", f"{USUAL} and (spark or engine)")
"""How the tests of an area are run: those with Java or Pulumi's engine, which take longest, come last."""


def outcomes(
    mutants: Sequence[Mutant],
    workshops: Sequence[Workshop],
    *,
    seconds: float = SECONDS,
    until: float | None = None,
    chosen: Sequence[str] = (USUAL,),
) -> Generator[Outcome]:
    """The result of each mutant, in the order of the list; as many run at a time as there are workshops.

    None begins or goes on after `until`, a time of the monotonic clock; a mutant's tests take at most `seconds`.
    `chosen` is that of `Workshop.test`.
    """
    free: SimpleQueue[Workshop] = SimpleQueue()
    for workshop in workshops:
        free.put(workshop)

    def test(mutant: Mutant) -> Outcome | None:
        workshop = free.get()
        try:
            left = math.inf if until is None else until - time.monotonic()
            return workshop.test(mutant, seconds=min(seconds, left), chosen=chosen) if left > 0 else None
        finally:
            free.put(workshop)

    with ThreadPoolExecutor(len(workshops)) as pool:
        try:
            yield from (outcome for outcome in pool.map(test, mutants) if outcome is not None)
        except BaseException:  # no thread ends before its tests do
            for workshop in workshops:
                workshop.close()
            raise


def turn() -> int:
    """The number of this run: the variable `ROTATION`, else that of the day since 1970 (UTC)."""
    return int(os.environ.get("ROTATION") or time.time() // DAY_SECONDS)


def listed_part(names: Sequence[str] | None, number: int | None) -> tuple[Mutant, ...]:
    """The listed mutants with these names, of the part with this number; None stands for all.

    Raises `MutantError` for a name that is not listed.
    """
    mutants = listed()
    if unknown := set(names or ()) - {mutant.name for mutant in mutants}:
        raise MutantError(f"There is no mutant {', '.join(sorted(unknown))}.")
    if number is not None:
        mutants = mutants[number % PARTS :: PARTS]
    return tuple(mutant for mutant in mutants if names is None or mutant.name in names)


def main(arguments: Sequence[str] | None = None) -> int:
    """Test the requested mutants."""
    given = _parser().parse_args(arguments)
    number = turn()
    try:
        mutants = listed_part(given.only, number if given.sample else None)
        blind = 0 if given.only else BLIND_IN_SAMPLE if given.sample else given.blind
        unchosen = list(islice(drawn(number), blind))
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            passing: set[str] = set()
            workshops = [Workshop(Path(folder, str(number)), passing) for number in range(given.jobs)]
            until = time.monotonic() + SAMPLE_SECONDS if given.sample else None
            _say(f"{len(mutants)} listed mutants and {blind} blind ones, ROTATION={number}")
            found = _tested(outcomes(mutants, workshops, until=until), len(mutants))
            guesses = outcomes(unchosen, workshops, seconds=BLIND_SECONDS, until=until, chosen=QUICK_FIRST)
            guessed = _tested(guesses, len(unchosen))
    except KeyboardInterrupt:
        _say("Interrupted: not every mutant was tested.")
        return INTERRUPTED
    except MutantError as error:
        _say(f"error: {error}")
        return UNUSABLE
    if given.json:
        sys.stdout.write(msgspec.json.encode([*found, *guessed]).decode() + "\n")
    if guessed:
        _say_shares(unchosen, guessed)
    return summed_up(found, len(mutants), sample=given.sample)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.run", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="this listed mutant; may be given again")
    parser.add_argument("--sample", action="store_true", help="a tenth of the list and ten blind faults")
    parser.add_argument("--blind", type=int, default=BLIND, metavar="N", help="so many blind faults")
    parser.add_argument("--json", action="store_true", help="print one JSON array of the outcomes")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time")
    return parser


def _tested(each: Generator[Outcome], number: int) -> list[Outcome]:
    found = []
    with closing(each):
        for outcome in each:
            found.append(outcome)
            _say(f"{len(found):3}/{number} {outcome.fate:14} {outcome.seconds:5.1f} s  {outcome.name}")
    return found


def _say_shares(mutants: Sequence[Mutant], found: Sequence[Outcome]) -> None:
    """Print the share of blind faults that was noticed, by area."""
    areas = {mutant.name: mutant.file.partition("/")[0] for mutant in mutants}
    tested, noticed = Counter[str](), Counter[str]()
    for outcome in found:
        tested[areas[outcome.name]] += 1
        noticed[areas[outcome.name]] += outcome.fate is Fate.KILLED
    _say("\nblind faults that were noticed")
    for area in AREAS:
        if tested[area]:
            _say(f"  {area:14} {noticed[area]:3} of {tested[area]:3}  {noticed[area] / tested[area]:4.0%}")
    _say(f"  {'in all':14} {noticed.total():3} of {tested.total():3}  {noticed.total() / tested.total():4.0%}")


def summed_up(found: Sequence[Outcome], wanted: int, *, sample: bool) -> int:
    """Print the listed mutants that were not killed, and how many were; returns the exit status."""
    fates = Counter(outcome.fate for outcome in found)
    for outcome in found:
        if outcome.fate is not Fate.KILLED:
            _say(f"\n{outcome.name}: {outcome.fate}\n{outcome.said}")
    untested = f"; {fates[Fate.UNTESTED]} had no result" if fates[Fate.UNTESTED] else ""
    late = f"; there was no time for {wanted - len(found)} more" if wanted > len(found) else ""
    _say(f"\n{fates[Fate.KILLED]} of {len(found)} listed mutants were killed{untested}{late}")
    proven = fates[Fate.KILLED] + (fates[Fate.UNTESTED] if sample else 0)
    return NOTICED if proven == len(found) else MISSED


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
