"""Measures the times of `make up`, a second `up` and `destroy`, with tools and caches present."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.results import Target, at_most
from tests.support.checkout import Checkout, environment
from tests.support.criteo_rows import write

ROWS = 100_000


def local_stack() -> tuple[dict[str, Any], list[Target]]:
    """The seconds of each command, and the changes of the second `up`."""
    with TemporaryDirectory() as folder:
        checkout = Checkout.make(Path(folder))
        checkout.configure(dataset={"kind": "criteo", "path": str(write(checkout.folder / "rows.tsv", ROWS))})
        try:
            first = _seconds(lambda: subprocess.run(["make", "up"], cwd=checkout.folder, env=environment(), check=True))
            started = time.monotonic()
            outcome = checkout.json("up")
            second = time.monotonic() - started
        finally:
            gone = _seconds(lambda: checkout.run("destroy", "--yes"))
    changes = sum(count for kind, count in outcome["changes"].items() if kind != "same")
    figures = {
        "rows": ROWS,
        "make_up_seconds": first,
        "second_up_seconds": second,
        "second_up_changes": changes,
        "destroy_seconds": gone,
        "metrics": outcome["outputs"]["metrics"],
    }
    return figures, [
        at_most("make up, 100,000 rows", 120, first, "s"),
        at_most("second up", 15, second, "s"),
        at_most("changes of the second up", 0, changes),
        at_most("destroy", 10, gone, "s"),
    ]


def _seconds(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started
