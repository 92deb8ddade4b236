"""Differences between the last deployment and the real resources, without those known to be harmless."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from features.yaml_text import load_yaml
from personalize.delivery.plan import Plan
from personalize.engine.events import Change

ALLOWED_FILE = Path(__file__).with_name("benign_drift.yaml")
HEADLINES = {
    "create": "is missing",
    "update": "differs from the deployment",
    "replace": "differs from the deployment, and must be replaced",
    "delete": "is no longer part of the program",
}


@dataclass(frozen=True, kw_only=True)
class Benign:
    """A harmless difference: the resource's type and the path of the input. `*` matches anything."""

    type: str
    path: str
    reason: str

    def covers(self, change: Change, path: str) -> bool:
        """Whether this allows the difference at `path` of the resource."""
        return _matches(self.type, change.type) and _matches(self.path, path)


@dataclass(frozen=True, kw_only=True)
class ResourceDrift:
    """The result of a refresh."""

    real: tuple[Change, ...]
    """Changes that somebody must check."""
    benign: tuple[tuple[Change, str], ...]
    """Allowed changes, each with the reason."""


@cache
def allowed() -> tuple[Benign, ...]:
    """The project's list of harmless differences."""
    return tuple(Benign(**entry) for entry in load_yaml(ALLOWED_FILE.read_text(encoding="utf-8")))


def find_resource_drift(plan: Plan, benign: Sequence[Benign]) -> ResourceDrift:
    """Sort a plan after a refresh: an update is benign if all its paths are allowed."""
    real, harmless = [], []
    for change in plan.changes:
        reasons = [_reason(change, path, benign) for path in change.properties]
        known = [reason for reason in reasons if reason is not None]
        if change.operation == "update" and reasons and len(known) == len(reasons):
            harmless.append((change, "; ".join(dict.fromkeys(known))))
        else:
            real.append(change)
    return ResourceDrift(real=tuple(real), benign=tuple(harmless))


def drift_report(stack: str, drift: ResourceDrift) -> str:
    """Markdown for an issue."""
    lines = [f"The real resources differ from the last deployment in {len(drift.real)} place(s).", ""]
    for change in drift.real:
        paths = f": {', '.join(f'`{path}`' for path in change.properties)}" if change.properties else ""
        lines.append(f"- `{change.name}` (`{change.type}`) {HEADLINES[change.operation]}{paths}")
    advice = (
        f"`.venv/bin/personalize up --stack {stack} --refresh` restores the deployment. If a difference is "
        "intended, put it into the program; if it is harmless, into `personalize/delivery/benign_drift.yaml` with the "
        "reason."
    )
    lines += ["", advice]
    if drift.benign:
        lines += ["", "Allowed differences:", ""]
        lines += [f"- `{change.name}`: {reason}" for change, reason in drift.benign]
    return "\n".join(lines) + "\n"


def _reason(change: Change, path: str, benign: Sequence[Benign]) -> str | None:
    return next((entry.reason for entry in benign if entry.covers(change, path)), None)


def _matches(pattern: str, text: str) -> bool:
    """Whether a pattern with `*` matches. `fnmatch` would take the brackets of a path for a set of characters."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None
