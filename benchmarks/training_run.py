"""One training run as a child process on some of this machine's cores: seconds, processor time and memory by stage."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil

from tools.paths import ROOT

STAGES: Mapping[str, Sequence[str]] = {
    "start": ("start",),
    "parse": ("read", "prepare"),
    "encode": ("count", "encode"),
    "fit": ("fit",),
    "evaluate": ("evaluate", "baselines"),
    "write": ("bundle",),
}
"""The table's stages, each with the run's stages that belong to it."""
SAMPLE_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The cost of a stage: seconds by the clock, and processor seconds of all the run's processes."""

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run: `costs` by stage of `STAGES`, `result` as `python -m training --json` prints it.

    `others_share` is the share of the machine's processor time that other processes took meanwhile.
    """

    cores: int
    costs: Mapping[str, Cost]
    peak_memory_mib: float
    others_share: float
    result: Mapping[str, Any]


@dataclass(kw_only=True)
class Clock:
    """Measures the time and the processor time of a process tree by stage.

    Each process is read separately, and its last value is kept: Spark's Python workers end before the run does, and
    because their parent ignores SIGCHLD, Linux adds their time to no other process.
    """

    family: psutil.Process
    costs: dict[str, Cost] = field(default_factory=dict)
    stage: str = "start"
    _at: float = field(default_factory=time.monotonic)
    _cpu: float = 0.0
    _latest: dict[psutil.Process, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self) -> float:
        """The tree's processor seconds; for ended processes, their last known value."""
        with self._lock:
            self._latest |= cpu_seconds(self.family)
            return sum(self._latest.values())

    def enter(self, stage: str) -> None:
        """End the current stage, and begin `stage`."""
        now, cpu = time.monotonic(), self.look()
        before = self.costs.get(self.stage, Cost(seconds=0, cpu_seconds=0))
        self.costs[self.stage] = Cost(
            seconds=before.seconds + now - self._at, cpu_seconds=before.cpu_seconds + cpu - self._cpu
        )
        self.stage, self._at, self._cpu = stage, now, cpu


def measure(options: Sequence[str], *, cores: int, output: Path, keep: Path | None = None) -> Run:
    """Run `python -m training` with these options on the first `cores` cores, with its bundle in `output`.

    With `keep`, the prepared and the encoded rows are linked there when fitting begins, for native LightGBM beside it.
    """
    command = [sys.executable, "-m", "training", *options, "--output", str(output), "--json", "--progress", "json"]
    busy = _machine_cpu_seconds()
    began = time.monotonic()
    with subprocess.Popen(
        ["taskset", "--cpu-list", f"0-{cores - 1}", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        clock = Clock(family=psutil.Process(process.pid))
        with _Watch(clock) as memory:
            _follow(process, clock, output / "work", keep)
            printed = process.stdout.read() if process.stdout else ""
            clock.enter("end")
        if process.wait() != 0:
            raise SystemExit(f"the run failed with exit code {process.returncode}; its log is in {output}")
    available = (time.monotonic() - began) * (os.cpu_count() or 1)
    ours = sum(cost.cpu_seconds for cost in clock.costs.values())
    return Run(
        cores=cores,
        costs={name: _sum(clock.costs, parts) for name, parts in STAGES.items()},
        peak_memory_mib=memory.mib,
        others_share=max(0.0, _machine_cpu_seconds() - busy - ours) / available,
        result=json.loads(printed),
    )


def cpu_seconds(family: psutil.Process) -> dict[psutil.Process, float]:
    """Processor seconds of a process and of its living descendants."""
    found = {}
    with suppress(psutil.Error):
        for one in [family, *family.children(recursive=True)]:
            with suppress(psutil.Error):
                times = one.cpu_times()
                found[one] = times.user + times.system
    return found


def _follow(process: subprocess.Popen[str], clock: Clock, work: Path, keep: Path | None) -> None:
    for line in process.stderr or ():
        if not line.startswith("{"):
            sys.stderr.write(line)
            continue
        stage = json.loads(line)["stage"]
        if stage == clock.stage:
            continue
        clock.enter(stage)
        if stage == "fit" and keep is not None:
            for name in ("rows", "train"):
                shutil.copytree(work / name, keep / name, copy_function=os.link)


def _sum(costs: Mapping[str, Cost], parts: Sequence[str]) -> Cost:
    found = [costs[part] for part in parts if part in costs]
    return Cost(seconds=sum(cost.seconds for cost in found), cpu_seconds=sum(cost.cpu_seconds for cost in found))


def _machine_cpu_seconds() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


class _Watch:
    """Samples a run's memory, with shared pages counted once, and keeps the maximum."""

    def __init__(self, clock: Clock) -> None:
        self.mib = 0.0
        self._clock = clock
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self._clock.look()
            total, first = 0.0, self._clock.family
            with suppress(psutil.Error):
                for one in [first, *first.children(recursive=True)]:
                    with suppress(psutil.Error):
                        total += one.memory_full_info().pss
            self.mib = max(self.mib, total / 2**20)
