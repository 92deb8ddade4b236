"""What this machine's second core gives a loop that shares nothing: no engine gains more by it than that.

Two processors of a virtual machine are often the two hyperthreads of one core.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median
from typing import IO, Any, cast

import numpy as np

from training.kernels import xxh64

SECONDS = 2.0
REPETITIONS = 3
NUMBERS = 20_000
"""So few that they stay in the processor's cache: memory is not what is measured."""


def measure() -> dict[str, Any]:
    """`gain`: the work a second of two processes, each on a core of its own, over that of one that is alone; the median
    of `REPETITIONS`. `rounds` are the rounds a second of each process, alone and with the other."""
    alone, together = [], []
    for _ in range(REPETITIONS):
        alone.append(_rounds([0]))
        together.append(_rounds([0, 1]))
    gains = [sum(both) / sum(one) for one, both in zip(alone, together, strict=True)]
    return {"gain": median(gains), "gains": gains, "rounds": {"alone": alone, "together": together}}


def _rounds(cores: Sequence[int]) -> list[float]:
    """The rounds a second of a process on each of the cores, all at the same time."""
    command = [sys.executable, "-m", "benchmarks.training_cores"]
    started = [
        subprocess.Popen(
            ["taskset", "--cpu-list", str(core), *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for core in cores
    ]
    pipes = [(cast("IO[str]", one.stdin), cast("IO[str]", one.stdout)) for one in started]
    for _, printed in pipes:
        printed.readline()  # it is ready
    for told, _ in pipes:
        told.write("go\n")
        told.flush()
    rounds = [float(printed.readline()) for _, printed in pipes]
    for one in started:
        one.communicate()
    return rounds


def _work() -> float:
    """Rounds a second of hashing and sorting the same numbers."""
    numbers = np.random.default_rng(0).integers(0, 1 << 62, NUMBERS)
    seeds = xxh64.first_seeds(NUMBERS)
    rounds, began = 0, time.perf_counter()
    while (seconds := time.perf_counter() - began) < SECONDS:
        np.sort(xxh64.of_whole_numbers(numbers, seeds))
        rounds += 1
    return rounds / seconds


def main() -> None:
    """Say when ready, wait for a line, work, and print the rounds a second."""
    print("ready", flush=True)
    sys.stdin.readline()
    print(_work(), flush=True)


if __name__ == "__main__":
    main()
