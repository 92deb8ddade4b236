"""`make bench-tables`: a new file in a large folder, training on large tables, and training on Criteo's rows beside
another revision of the code.

Rates and ratios are by processor time, so that they are comparable on a busy machine.
"""

import argparse
import io
import json
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import training_join
from benchmarks.new_file import new_file
from benchmarks.results import Target, at_least, at_most, publish
from benchmarks.training import LOCAL, MEGABYTES_IN_GB, MILLION, figures_of
from benchmarks.training_run import measure
from tools.paths import ROOT
from training import datasets
from training.parameters import SyntheticDataset

CORES = 2
BEFORE = "f63ead3f"
"""The last commit that read nothing but three whole tables, or Criteo's local files."""
TIMES = 3
"""Each of two revisions trains so often, in turn; the fastest counts."""
Figures = dict[str, Any]


def main() -> None:
    """Measure, print and write `benchmarks/results/tables.json`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument("--rows", type=int, default=10 * MILLION, help="interactions, ten a user and a hundred an item")
    parser.add_argument("--before", default=BEFORE, help="the Git revision with which Criteo's rows are compared")
    asked = parser.parse_args()
    found, targets = new_file()
    print(json.dumps(found), flush=True)
    tables = _tables(asked.rows)
    print(json.dumps(tables), flush=True)
    beside = _beside(asked.before)
    name = f"{asked.rows / MILLION:g} M interactions in three tables"
    targets += [
        at_least(f"{name}: rows a second a core", 20_000, tables["rows_a_second_a_core"]),
        at_most(f"{name}: peak memory", 6, tables["peak_memory_mib"] / MEGABYTES_IN_GB, "GB"),
        _no_slower(beside),
    ]
    print(publish("tables", {"new_file": found, "tables": tables, "criteo": beside}, targets))


def _no_slower(beside: Figures) -> Target:
    ratio = min(beside["now"]) / min(beside["before"])
    return at_most(f"Criteo's 1 M rows: processor time over that of {beside['revision']}", 1.03, ratio)


def _tables(rows: int) -> Figures:
    """A run with this many interactions, a tenth as many users and a hundredth as many items, from Parquet."""
    print(f"measuring {rows:,} interactions with users and items", flush=True)
    with TemporaryDirectory() as folder:
        spec = training_join.write_tables(Path(folder), rows)
        run = measure(_options("tables", "--spec", spec), cores=CORES, output=Path(folder) / "run")
    return figures_of(f"{LOCAL}, three tables", rows, run)


def _beside(revision: str) -> Figures:
    """Processor seconds of runs on a million of Criteo's rows, by this code and by that of a revision."""
    found: dict[str, list[float]] = {"before": [], "now": []}
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        datasets.materialize(SyntheticDataset(rows=MILLION), folder / "generated")
        (folder / "days").mkdir()
        for number, file in enumerate(sorted((folder / "generated").rglob("*.tsv"))):
            file.rename(folder / "days" / f"day_{number}.tsv")
        code = {"before": _checkout(revision, folder / "code"), "now": ROOT}
        for number in range(TIMES):
            for name, where in code.items():
                print(f"measuring Criteo's rows, {name}", flush=True)
                options = _options("criteo", "--path", folder / "days")
                run = measure(options, cores=CORES, output=folder / f"{name}-{number}", code=where)
                found[name].append(figures_of(name, MILLION, run)["cpu_seconds"])
    return found | {"revision": revision, "rows": MILLION}


def _options(kind: str, name: str, path: Path) -> list[str]:
    return ["--dataset", kind, name, str(path), "--engine", LOCAL]


def _checkout(revision: str, folder: Path) -> Path:
    """The files of a revision; it runs with this environment's packages."""
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder


if __name__ == "__main__":
    main()
