"""The time in which `preview` finds a new file in a folder of a thousand, on a local stack.

Its processor seconds are among the figures, because the target is by the clock, which a busy machine slows down.
"""

import os
import resource
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.results import Target, at_least, at_most
from tests.support.checkout import Checkout
from tools.paths import ROOT

FILES = 1_000
TABLES = ROOT / "examples" / "tables"


def new_file() -> tuple[dict[str, Any], list[Target]]:
    """After an `up`: the changes of a `preview`, and those of one after another file came, with its time."""
    with TemporaryDirectory() as temporary:
        checkout = Checkout.make(Path(temporary))
        folder = _write_files(checkout)
        try:
            checkout.json("up")
            unchanged = _changes(checkout.json("preview"))
            shutil.copyfile(folder / "part-0000.csv", folder / "one-more.csv")
            started, used = time.monotonic(), _processor_seconds()
            noticed = _changes(checkout.json("preview"))
            seconds, used = time.monotonic() - started, _processor_seconds() - used
        finally:
            checkout.run("destroy", "--yes")
    figures = {
        "files": FILES,
        "changes": noticed,
        "preview_seconds": seconds,
        "preview_processor_seconds": used,
        "load_of_the_machine": os.getloadavg()[0],
    }
    return figures, [
        at_most("1,000 files: changes of a preview", 0, unchanged),
        at_least("1,000 files: changes of a preview after one more came", 1, noticed),
        at_most("1,000 files: that preview", 5, seconds, "s"),
    ]


def _write_files(checkout: Checkout) -> Path:
    """The README's tables, the interactions' rows in a thousand files, as the stack's dataset; returns their folder."""
    header, *rows = (TABLES / "interactions.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    folder = checkout.folder / "interactions"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"part-{number:04d}.csv").write_text(header + "".join(rows[number::FILES]), encoding="utf-8")
    for name in ("users.csv", "items.csv"):
        shutil.copyfile(TABLES / name, checkout.folder / name)
    config = (TABLES / "dataset.yaml").read_text(encoding="utf-8").replace("interactions.csv", folder.name)
    (checkout.folder / "many.yaml").write_text(config, encoding="utf-8")
    checkout.configure(dataset={"kind": "tables", "spec": "many.yaml"})
    return folder


def _processor_seconds() -> float:
    """Those of the commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _changes(outcome: Mapping[str, Any]) -> int:
    return sum(count for kind, count in outcome["changes"].items() if kind != "same")
