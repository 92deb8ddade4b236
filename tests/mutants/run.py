"""`python -m tests.mutants.run`: does the suite notice small faults? Exits with 1 if it misses one.

Each mutant of the lists in this folder runs the tests that it names, after they have passed without it.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue

import msgspec

from tests.mutants.mutant import Fate, Mutant, MutantError, Outcome, listed
from tests.mutants.workshop import PASSED, Workshop

NOTICED, MISSED, UNUSABLE, INTERRUPTED = 0, 1, 2, 130
SECONDS = 600.0
"""Time limit for a mutant's tests, which take up to half a minute on an idle machine."""
BEFORE_SECONDS = 900.0
"""Time limit for all of these tests without a mutant."""


def outcomes(mutants: Sequence[Mutant], workshops: Sequence[Workshop]) -> Generator[Outcome]:
    """The result of each mutant, in the order of the list; as many run at a time as there are workshops."""
    free: SimpleQueue[Workshop] = SimpleQueue()
    for workshop in workshops:
        free.put(workshop)

    def test(mutant: Mutant) -> Outcome:
        workshop = free.get()
        try:
            return workshop.test(mutant, seconds=SECONDS)
        finally:
            free.put(workshop)

    with ThreadPoolExecutor(len(workshops)) as pool:
        try:
            yield from pool.map(test, mutants)
        finally:  # also if the caller stops early: no thread ends before its tests do
            for workshop in workshops:
                workshop.close()


def require_passing(mutants: Sequence[Mutant], workshop: Workshop) -> None:
    """Raise `MutantError` unless the tests pass without a fault: otherwise every mutant would seem killed."""
    tests = list(dict.fromkeys(test for mutant in mutants for test in mutant.tests))
    try:
        code, said = workshop.pytest(*tests, seconds=BEFORE_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise MutantError(f"The tests take more than {BEFORE_SECONDS:.0f} s. Free the machine.") from error
    if code != PASSED:
        raise MutantError(f"The tests do not pass as the program is:\n{said}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Test the requested mutants."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.run", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="this mutant; may be given again")
    parser.add_argument("--json", action="store_true", help="print one JSON array of the outcomes")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time")
    given = parser.parse_args(arguments)
    try:
        mutants = _chosen(given.only)
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            workshops = [Workshop(Path(folder, str(number))) for number in range(given.jobs)]
            _say(f"{len(mutants)} mutants; first their tests without any")
            require_passing(mutants, workshops[0])
            found = []
            with closing(outcomes(mutants, workshops)) as each:
                for outcome in each:
                    found.append(outcome)
                    _say(f"{len(found):3}/{len(mutants)} {outcome.fate:14} {outcome.seconds:5.1f} s  {outcome.name}")
    except KeyboardInterrupt:
        _say("Interrupted: not every mutant was tested.")
        return INTERRUPTED
    except MutantError as error:
        _say(f"error: {error}")
        return UNUSABLE
    if given.json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    return _summed_up(found)


def _chosen(names: Sequence[str] | None) -> tuple[Mutant, ...]:
    mutants = listed()
    if unknown := set(names or ()) - {mutant.name for mutant in mutants}:
        raise MutantError(f"There is no mutant {', '.join(sorted(unknown))}.")
    return tuple(mutant for mutant in mutants if names is None or mutant.name in names)


def _summed_up(found: Sequence[Outcome]) -> int:
    missed = [outcome for outcome in found if outcome.fate is not Fate.KILLED]
    for outcome in missed:
        _say(f"\n{outcome.name}: {outcome.fate}\n{outcome.said}")
    _say(f"\n{len(found) - len(missed)} of {len(found)} mutants were killed")
    return MISSED if missed else NOTICED


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
