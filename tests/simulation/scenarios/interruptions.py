"""Commands that are killed: the next run completes, and nothing leaks."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.simulation.faults import FaultKind
from tests.simulation.scenarios.life import nothing_left
from tests.simulation.scenarios.report import Report
from tests.simulation.scenarios.stack import STACK, SimulatedStack

UNLOCK = "`pulumi cancel --yes` do"
KILLED_AT = r"^(create|update|delete) (azure-native|databricks):|^http (?!vault)\S+ (PUT|POST) (?!/state-)"
"""Calls that change something in Azure, by providers and by steps."""
SEED = 20_261_125
UP_CALLS, DESTROY_CALLS = 70, 30
"""Fewer than there are, so that every chosen call happens."""
SLOW_SECONDS = 10.0
KILL_SECONDS = 240.0
POLL_SECONDS = 0.02


def kills(stack: SimulatedStack, report: Report) -> None:
    """SIGKILL to everything at a random call of `up`, then of `destroy`; each is repeated when Azure is idle.

    The lock in the state backend stays, and the next command's error says how it is removed. Another machine repeats
    `up`, like a workflow's next run, and the same one `destroy`, which leaves nothing on it.
    """
    chosen = random.Random(SEED)  # noqa: S311 - repeatable on purpose
    for command, calls, operate in (("up", UP_CALLS, stack.up), ("destroy", DESTROY_CALLS, stack.destroy)):
        call = chosen.randint(1, calls)
        victims = _kill(stack, command, call)
        report.want(f"whether {command} was killed at call {call}", wanted=True, found=victims > 0)
        stack.wait_for_azure()
        if command == "up":
            stack.move()
        report.want_in("what is said of a killed command's lock", UNLOCK, stack.fails(operate))
        stack.unlock()
        operate()
    nothing_left(stack, report, "after the kills")


def _kill(stack: SimulatedStack, command: str, call: int) -> int:
    """Run the product's command in its own process, and kill its process tree during call number `call`.

    Returns how many processes were killed: none if the command ended before that call.
    """
    stack.session()  # writes the settings
    stack.faults.order(KILLED_AT, nth=call, kind=FaultKind.SLOW, seconds=SLOW_SECONDS)
    personalize = Path(sys.executable).with_name("personalize")
    unasked = ["--yes", "--no-check"] if command == "up" else ["--yes", "--delete-data"]
    arguments = [command, "--stack", STACK, "--json", *unasked]
    with (stack.folder / "killed.log").open("ab") as log:
        child = subprocess.Popen(
            [personalize, *arguments],
            stdout=log,
            stderr=log,
            env=os.environ | {"PERSONALIZE_CONFIG_FILE": str(stack.file)},
        )
        until = time.monotonic() + KILL_SECONDS
        while stack.faults.pending() and child.poll() is None and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        if child.poll() is not None:
            return 0
        victims = [psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True)]
        for victim in victims:
            victim.send_signal(signal.SIGKILL)
        child.wait()
    return len(victims)
