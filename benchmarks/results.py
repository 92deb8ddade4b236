"""Writes a benchmark's results to `benchmarks/results/NAME.json`, and prints which targets hold."""

import datetime as dt
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from features.files import write_whole

FOLDER = Path(__file__).resolve().parent / "results"
PACKAGES = ("lightgbm", "msgspec", "numpy", "pulumi", "pyspark", "synapseml", "uvloop")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A target of the project; `holds` is whether `measured` reaches it."""

    name: str
    target: str
    measured: float
    holds: bool


def at_most(name: str, limit: float, measured: float, unit: str = "") -> Target:
    """A target that holds if `measured` is at most `limit`."""
    return Target(name=name, target=f"<= {limit:g} {unit}".strip(), measured=measured, holds=measured <= limit)


def at_least(name: str, limit: float, measured: float, unit: str = "") -> Target:
    """A target that holds if `measured` is at least `limit`."""
    return Target(name=name, target=f">= {limit:g} {unit}".strip(), measured=measured, holds=measured >= limit)


def publish(name: str, figures: Mapping[str, Any], targets: Sequence[Target]) -> Path:
    """Write `results/NAME.json` with machine, date, commit and versions, print the targets, return the file."""
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / f"{name}.json"
    content = {
        "machine": _machine(),
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "commit": _commit(),
        "versions": {"python": platform.python_version()} | {package: version(package) for package in PACKAGES},
        "figures": dict(figures),
        "targets": [asdict(target) for target in targets],
    }
    write_whole(file, json.dumps(content, indent=2) + "\n")
    table = Table("target", "wanted", "measured", "holds", title=f"benchmark {name}")
    for target in targets:
        table.add_row(target.name, target.target, f"{target.measured:.4g}", "yes" if target.holds else "NO")
    Console().print(table)
    return file


def _machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"processor": model, "cores": os.cpu_count(), "memory_gib": round(memory / 2**30, 1)}


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    described = subprocess.run(command, capture_output=True, text=True, check=False, cwd=FOLDER)
    return described.stdout.strip() or "unknown"
