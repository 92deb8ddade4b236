"""What differs between the last deployment and what is there, without the differences that are known to be harmless."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from personalize.delivery.plan import Plan
from personalize.engine.events import Change

ALLOWED_FILE = Path(__file__).with_name("benign_drift.yaml")
HEADLINES = {
    "create": "is gone",
    "update": "is not as it was deployed",
    "replace": "is not as it was deployed, and cannot be changed back in place",
    "delete": "is no part of the program any more",
}


@dataclass(frozen=True, kw_only=True)
class Benign:
    """A harmless difference: resource type and path of the input, `*` standing for anything."""

    type: str
    path: str
    reason: str

    def covers(self, change: Change, path: str) -> bool:
        """Whether this is about the difference at `path` of the changed resource."""
        return _matches(self.type, change.type) and _matches(self.path, path)


@dataclass(frozen=True, kw_only=True)
class ResourceDrift:
    """What a refresh found."""

    real: tuple[Change, ...]
    """What somebody must look at."""
    benign: tuple[tuple[Change, str], ...]
    """What is allowed, each with the reason."""


@cache
def allowed() -> tuple[Benign, ...]:
    """The list that comes with the project."""
    return tuple(Benign(**entry) for entry in yaml.safe_load(ALLOWED_FILE.read_text(encoding="utf-8")))


def find_resource_drift(plan: Plan, benign: Sequence[Benign]) -> ResourceDrift:
    """Sort a plan that was made after a refresh: a change in place whose every path is allowed is benign."""
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
    lines = [f"A look at what is really there found {len(drift.real)} difference(s) from the last deployment.", ""]
    for change in drift.real:
        paths = f": {', '.join(f'`{path}`' for path in change.properties)}" if change.properties else ""
        lines.append(f"- `{change.name}` (`{change.type}`) {HEADLINES[change.operation]}{paths}")
    advice = (
        f"`.venv/bin/personalize up --stack {stack} --refresh` brings it back to what the program says. If it is "
        "meant, put it into the program; if a difference is harmless, into `personalize/delivery/benign_drift.yaml` "
        "with the reason."
    )
    lines += ["", advice]
    if drift.benign:
        lines += ["", "Allowed differences:", ""]
        lines += [f"- `{change.name}`: {reason}" for change, reason in drift.benign]
    return "\n".join(lines) + "\n"


def _reason(change: Change, path: str, benign: Sequence[Benign]) -> str | None:
    return next((entry.reason for entry in benign if entry.covers(change, path)), None)


def _matches(pattern: str, text: str) -> bool:
    """`fnmatch` would read the brackets of a path as a set of characters."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None
