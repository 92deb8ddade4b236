"""Measures the times of `make up`, a second `up` and `destroy`, with tools and caches present."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from benchmarks.results import Target, at_most
from tests.support.checkout import Checkout, environment

ROWS = 100_000


def local_stack() -> tuple[dict[str, Any], list[Target]]:
    """The seconds of each command, and the changes of the second `up`."""
    with TemporaryDirectory() as folder:
        checkout = Checkout.make(Path(folder))
        checkout.configure(dataset={"kind": "synthetic", "rows": ROWS})
        try:
            first = _seconds(lambda: subprocess.run(["make", "up"], cwd=checkout.folder, env=environment(), check=True))
            started = time.monotonic()
            outcome = checkout.json("up")
            second = time.monotonic() - started
            differs = _largest_difference(checkout)
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
        "largest_difference_between_training_and_serving": differs,
    }
    return figures, [
        at_most("make up, 100,000 rows", 120, first, "s"),
        at_most("second up", 15, second, "s"),
        at_most("changes of the second up", 0, changes),
        at_most("destroy", 10, gone, "s"),
        at_most("training and serving differ", 1e-9, differs),
    ]


def _seconds(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def _largest_difference(checkout: Checkout) -> float:
    """The largest difference between training's and the service's probabilities of golden records."""
    bundle = next((checkout.state / "registry" / "bundles").iterdir())
    golden = [json.loads(line) for line in (bundle / "golden.jsonl").read_text().splitlines()]
    answer = httpx.post(
        f"http://127.0.0.1:{checkout.port}/score",
        json={"records": [line["record"] for line in golden]},
        headers={"Authorization": f"Bearer {checkout.run('key').stdout.strip()}"},
    )
    answer.raise_for_status()
    served: list[float] = answer.json()["probabilities"]
    return float(max(abs(line["probability"] - value) for line, value in zip(golden, served, strict=True)))
