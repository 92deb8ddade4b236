"""`make bench-training`: the cost per row of each stage on both engines, compared with native LightGBM.

Criteo's rows need no join, so the join is measured separately, on tables with as many interactions; the total is shown
with and without it.

Rates are by processor time, so that they are comparable on a busy machine; the share of other processes is among the
figures. Some targets are by elapsed time.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.results import Target, at_least, at_most, publish
from benchmarks.training_run import Cost, Run, measure
from tests.support.criteo_rows import write
from training.parameters import EngineName

MEGABYTES_IN_GB = 1e9 / 2**20
MILLION = 1_000_000
JOIN = "join"
"""The stage that is measured separately and isn't in the total."""
LOCAL = EngineName.LOCAL.value
SPARK = EngineName.SPARK.value

Figures = dict[str, Any]


def main() -> None:
    """Measure, print and write `benchmarks/results/training.json`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training")
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, MILLION, 4 * MILLION])
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--alone", type=int, default=10 * MILLION, help="rows for engine local alone; 0 for none")
    arguments = parser.parse_args()
    measured: list[Figures] = []
    for rows in arguments.rows:
        with TemporaryDirectory() as folder:
            data = write(Path(folder) / "rows.tsv", rows)
            for cores in arguments.cores:
                print(f"measuring {rows:,} rows on {cores} cores", flush=True)
                run, native = _beside_native(cores, data, Path(folder) / f"on-{cores}")
                joined = Cost(**_child(cores, "benchmarks.training_join", str(rows)))
                measured.append(figures_of(LOCAL, rows, run, native, joined))
                print(json.dumps(measured[-1]), flush=True)
            print(f"measuring {rows:,} rows on {SPARK}", flush=True)
            run = measure(_options(SPARK, data), cores=max(arguments.cores), output=Path(folder) / SPARK)
            measured.append(figures_of(SPARK, rows, run, native))
            print(json.dumps(measured[-1]), flush=True)
    if arguments.alone:
        run = _alone(arguments.alone, max(arguments.cores))
        measured.append(figures_of(LOCAL, arguments.alone, run))
        print(json.dumps(measured[-1]), flush=True)
    print(publish("training", {"runs": measured}, _targets(measured)))


def _options(engine: str, data: Path) -> list[str]:
    return ["--dataset", "criteo", "--path", str(data), "--engine", engine]


def _beside_native(cores: int, data: Path, folder: Path) -> tuple[Run, Figures]:
    run = measure(_options(LOCAL, data), cores=cores, output=folder / "run", keep=folder / "kept")
    native = _child(cores, "benchmarks.training_native", str(folder / "kept"), run.result["bundle"])
    shutil.rmtree(folder / "kept")
    return run, native


def _alone(rows: int, cores: int) -> Run:
    """A run on engine local with more rows than the comparisons have."""
    print(f"measuring {rows:,} rows on {cores} cores", flush=True)
    with TemporaryDirectory() as folder:
        data = write(Path(folder) / "rows.tsv", rows)
        return measure(_options(LOCAL, data), cores=cores, output=Path(folder) / "run")


def _child(cores: int, *module: str) -> Figures:
    """Run a module on the first `cores` cores, and return the JSON that it prints."""
    command = ["taskset", "--cpu-list", f"0-{cores - 1}", sys.executable, "-m", *module]
    figures: Figures = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return figures


def figures_of(engine: str, rows: int, run: Run, native: Figures | None = None, joined: Cost | None = None) -> Figures:
    """Rates per second and core; an engine's start is shown, but isn't part of the rates."""
    costs = {**run.costs, **({} if joined is None else {JOIN: joined})}
    rates = {name: rows / max(cost.cpu_seconds, 0.01) for name, cost in costs.items()}
    stages = {name: asdict(cost) | {"rows_a_second_a_core": rates[name]} for name, cost in costs.items()}
    work = [cost for name, cost in run.costs.items() if name != "start"]
    seconds, cpu_seconds = sum(cost.seconds for cost in work), sum(cost.cpu_seconds for cost in work)
    with_join = cpu_seconds + (0.0 if joined is None else joined.cpu_seconds)
    metrics = run.result["metrics"]
    return {
        "engine": engine,
        "rows": rows,
        "cores": run.cores,
        "stages": stages,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "rows_a_second_a_core": rows / cpu_seconds,
        "rows_a_second_a_core_with_join": rows / with_join,
        "rows_a_second_a_core_by_the_clock": rows / seconds / run.cores,
        "share_of_the_machine_that_others_took": run.others_share,
        "peak_memory_mib": run.peak_memory_mib,
        "auc": metrics["auc"],
        "log_loss": metrics["log_loss"],
        "native": native,
        "fit_over_native": native and run.costs["fit"].seconds / native["seconds"],
        "fit_over_native_by_processor_time": native and run.costs["fit"].cpu_seconds / native["cpu_seconds"],
    }


def _targets(measured: Sequence[Figures]) -> list[Target]:
    by_size: Mapping[tuple[int, int], Figures] = {
        (run["rows"], run["cores"]): run for run in measured if run["engine"] == LOCAL
    }
    targets = []
    if run := by_size.get((MILLION, 2)):
        targets += [
            at_least("1 M rows: rows a second a core, by processor time", 28_000, run["rows_a_second_a_core"]),
            at_least("1 M rows: the same with a join of three tables", 20_000, run["rows_a_second_a_core_with_join"]),
            at_least("1 M rows: without, by the clock", 10_000, run["rows_a_second_a_core_by_the_clock"]),
            at_most("1 M rows: fit over native LightGBM, by the clock", 1.05, run["fit_over_native"]),
            at_most("1 M rows: the same by processor time", 1.05, run["fit_over_native_by_processor_time"]),
            at_most("1 M rows: AUC away from native LightGBM's", 0.0005, abs(run["auc"] - run["native"]["auc"])),
        ]
    if (large := by_size.get((4 * MILLION, 2))) and (run := by_size.get((MILLION, 2))):
        targets += [
            at_most(
                "4 M rows: time over that of 1 M, by processor time", 4.4, large["cpu_seconds"] / run["cpu_seconds"]
            ),
            at_most("4 M rows: peak memory", 8, large["peak_memory_mib"] / MEGABYTES_IN_GB, "GB"),
            at_most("4 M rows: peak memory over that of 1 M", 4, large["peak_memory_mib"] / run["peak_memory_mib"]),
        ]
    for rows in sorted({rows for rows, _ in by_size}):
        if (one := by_size.get((rows, 1))) and (two := by_size.get((rows, 2))):
            name = f"{rows / MILLION:g} M rows: 2 cores over 1 core, by the clock"
            targets.append(at_least(name, 1.7, one["seconds"] / two["seconds"]))
    if run := by_size.get((10 * MILLION, 2)):
        minutes = (run["stages"]["start"]["seconds"] + run["seconds"]) / 60
        targets += [
            at_most("10 M rows, engine local: from start to end", 6, minutes, "min"),
            at_most("10 M rows, engine local: peak memory", 6, run["peak_memory_mib"] / MEGABYTES_IN_GB, "GB"),
        ]
    for run in (run for run in measured if run["engine"] != LOCAL):
        # What SynapseML had on a Xeon when LightGBM's own distributed fit went.
        if wanted := {MILLION: 5_800, 4 * MILLION: 8_850}.get(run["rows"]):
            name = f"{run['rows'] / MILLION:g} M rows on {run['engine']}, without its start: rows a second a core"
            targets.append(at_least(name, wanted, run["rows_a_second_a_core"]))
    return targets


if __name__ == "__main__":
    main()
