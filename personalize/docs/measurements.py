"""The page of measurements: every file of `benchmarks/results` with its targets."""

import json
from collections.abc import Mapping
from typing import Any

from benchmarks import training_figures
from benchmarks.results import FOLDER
from benchmarks.serving import figures as serving_figures

TITLES = {
    "local": ("This machine: times and quality", "make bench"),
    "serving": ("The service beside other servers", "make bench-serving"),
    "serving-recommend": ("Recommendations over HTTP", "python -m benchmarks.serving.recommending"),
    "stored-users": ("Recommendations for stored users", "python -m benchmarks.serving.stored_users"),
    "turns": ("How long a worker stands still", "python -m benchmarks.turns"),
    "training": ("Training, stage by stage", "make bench-training"),
    "recommend": ("Recommendations on MovieLens-100k", "make bench-recommend"),
    "simulate": ("A stack on the simulated Azure", "make simulate"),
}
"""The title of each file, and the command that measures it again."""
THOUSAND = 1000
"""Figures from here on are shown without a fraction."""


def page() -> str:
    """The page as Markdown."""
    lines = ["# Measurements", "", "The project's targets with the last measurement of each, reached or not."]
    for name, (title, command) in TITLES.items():
        lines += ["", f"## {title}", "", *_section(name, command)]
    return "\n".join(lines) + "\n"


def _section(name: str, command: str) -> list[str]:
    found = _results(name)
    machine = found["machine"]
    where = f"{machine['cores']} cores of {machine['processor']}, {machine['memory_gib']:g} GiB"
    lines = [f"`{command}`, {found['date']}, commit `{found['commit']}`, on {where}.", ""]
    match name:
        case "serving":
            lines += [serving_figures.table(found["figures"]["servers"]), ""]
        case "training":
            lines += [training_figures.table(found["figures"]["runs"]), ""]
    lines += ["| target | wanted | measured | holds |", "|---|---|---:|---|"]
    return [*lines, *map(_row, found["targets"])]


def _row(target: Mapping[str, Any]) -> str:
    name, wanted = (str(target[part]).replace("|", "\\|") for part in ("name", "target"))
    measured = target["measured"]
    shown = f"{measured:,.0f}" if measured >= THOUSAND else f"{measured:.4g}"
    return f"| {name} | {wanted} | {shown} | {'yes' if target['holds'] else '**no**'} |"


def _results(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found
