"""Calls that fail, and processes that are killed: the next run completes, and nothing leaks."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from tests.simulation.faults import FaultKind
from tests.simulation.scenarios.changes import says
from tests.simulation.scenarios.life import nothing_left
from tests.simulation.scenarios.report import Report
from tests.simulation.scenarios.stack import STACK, Done, SimulatedStack

UNLOCK = "`pulumi cancel --yes` do"
MADE_TO_FAIL = "made to fail finally"
WRITES = r"^(create|update|delete) (azure-native|databricks):"
SOME_WRITES = r"^(create|update|delete) (azure-native:(resources|containerservice)|databricks):"
"""Those of groups, the cluster and Databricks: it takes fewer runs until all of them have failed once."""
KILLED_AT = rf"{WRITES}|^http (?!vault)\S+ (PUT|POST) (?!/state-)"
"""Calls that change something in Azure, by providers and by steps."""
UP_CALLS, DESTROY_CALLS = 70, 30
"""Fewer than there are, so that every chosen call happens."""
MAX_TRIES = 100
SLOW_SECONDS = 10.0
KILL_SECONDS = 240.0
POLL_SECONDS = 0.02
FAULTS = (
    (r"^(create|delete) azure-native:", FaultKind.REFUSED),
    (r"^create databricks:", FaultKind.REFUSED),
    (r"^http blob \w+ (?!/state-)", FaultKind.UNAVAILABLE),
    (r"^http blob \w+ (?!/state-)", FaultKind.EXPIRED),
    (r"^http management ", FaultKind.THROTTLED),
    (r"^http management ", FaultKind.EXPIRED),
    (r"^http databricks ", FaultKind.THROTTLED),
    (r"^http databricks ", FaultKind.EXPIRED),
)


def walk(stack: SimulatedStack, report: Report, *, full: bool) -> None:
    """The first attempt of `SOME_WRITES` fails, in `up` and in `destroy`.

    With `full`, that of every call to ARM and to Databricks' provider, and each then fails on its own stack too.
    """
    for name, operate in (("up", stack.up), ("destroy", stack.destroy)):
        before = len(stack.faults.calls())
        stack.faults.fail_first(WRITES if full else SOME_WRITES)
        silent = _until_it_goes_through(stack, report, name, operate)
        failed = [call for call in stack.faults.calls()[before:] if call.outcome == "InjectedFault"]
        stack.faults.fail_first(None)
        report.note(f"calls_failed_once_in_{name}", len(failed))
        report.want(f"failed runs of {name} that do not say what failed", 0, silent)
    nothing_left(stack, report, "after calls failed once")
    if full:
        _each_alone(stack, report)


def _each_alone(stack: SimulatedStack, report: Report) -> None:
    silent = number = 0
    while not stack.faults.pending():
        number += 1
        stack.faults.order(WRITES, nth=number)
        silent += _until_it_goes_through(stack, report, "up", stack.up)
        silent += _until_it_goes_through(stack, report, "destroy", stack.destroy)
        nothing_left(stack, report, f"after call {number} failed alone")
    stack.faults.clear()
    report.note("calls_failed_each_on_a_stack_of_its_own", number - 1)
    report.want("runs with one failed call that do not say what failed", 0, silent)


def cycles(stack: SimulatedStack, report: Report, seeds: Sequence[int]) -> None:
    """Up, faults, up, destroy, with other faults for each seed."""
    for seed in seeds:
        chosen = random.Random(seed)  # noqa: S311 - repeatable on purpose
        for pattern, kind in chosen.sample(FAULTS, 3):
            stack.faults.order(pattern, nth=chosen.randint(1, 12), kind=kind)
        if chosen.random() < 0.5:
            stack.world.set("run_outcomes", [chosen.choice(["fail", "internal_error"])])
        report.line(f"  cycle with seed {seed}")
        _until_it_goes_through(stack, report, "up", stack.up)
        _until_it_goes_through(stack, report, "destroy", stack.destroy)
        stack.faults.clear()
        nothing_left(stack, report, f"after cycle {seed}")


def kills(stack: SimulatedStack, report: Report, count: int, seed: int) -> None:
    """SIGKILL to everything at a random call of `up`, then of `destroy`; each is repeated when Azure is idle.

    The lock in the state backend stays, and the next command's error says how it is removed.
    """
    chosen = random.Random(seed)  # noqa: S311 - see above
    killed = 0
    for number in range(1, count + 1):
        for command, calls, operate in (("up", UP_CALLS, stack.up), ("destroy", DESTROY_CALLS, stack.destroy)):
            call = chosen.randint(1, calls)
            victims = _kill(stack, command, call)
            report.line(f"  kill {number}: {command} at call {call}, {victims} processes")
            if victims:
                killed += 1
                stack.wait_for_azure()
                error = stack.fails(operate)
                report.want(
                    "what is said of a killed command's lock", UNLOCK, UNLOCK if says(error, UNLOCK) else str(error)
                )
                stack.unlock()
                operate()
        nothing_left(stack, report, f"after kill {number}")
    report.want("runs that were killed at a call", 2 * count, killed)


def _until_it_goes_through(stack: SimulatedStack, report: Report, name: str, operate: Callable[[], Done]) -> int:
    """Repeat it until it succeeds; returns how many failures didn't say what failed."""
    silent = 0
    for attempt in range(1, MAX_TRIES + 1):
        try:
            operate()
        except stack.failure as error:
            silent += not says(error, MADE_TO_FAIL) and not says(error, "ordered") and not says(error, "LAUNCH")
            report.say(f"{name} {attempt}: {str(error).splitlines()[0]}")
            continue
        report.note(f"{name}_runs", report.figures.get(f"{name}_runs", 0) + attempt)
        return silent
    raise AssertionError(f"{name} did not go through in {MAX_TRIES} runs")


def _kill(stack: SimulatedStack, command: str, call: int) -> int:
    """Run the product's command in its own process, and kill its process tree during call number `call`.

    Returns how many processes were killed: none if the command ended before that call.
    """
    stack.session()  # writes the settings
    stack.faults.order(KILLED_AT, nth=call, kind=FaultKind.SLOW, seconds=SLOW_SECONDS)
    personalize = Path(sys.executable).with_name("personalize")
    unasked = ["--yes", "--no-check"] if command == "up" else ["--yes", "--delete-data"]
    arguments = [command, "--stack", STACK, "--config-file", str(stack.file), "--json", *unasked]
    with (stack.folder / "killed.log").open("ab") as log:
        child = subprocess.Popen([personalize, *arguments], stdout=log, stderr=log, env=dict(os.environ))
        until = time.monotonic() + KILL_SECONDS
        while stack.faults.pending() and child.poll() is None and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        if child.poll() is not None:
            stack.faults.clear()
            stack.read_suffix()
            return 0
        victims = [psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True)]
        for victim in victims:
            victim.send_signal(signal.SIGKILL)
        child.wait()
    return len(victims)
