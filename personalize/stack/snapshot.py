"""The engine's state of a stack, read without starting the engine."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SECRET_MARK = "4dabf18193072939515e22adb298388d"  # noqa: S105 - the engine's own mark, known to all
"""The key by which the engine tells an encrypted value from an object in its state."""


def read_snapshot(file: Path) -> dict[str, Any]:
    """The last snapshot, with its secrets encrypted; empty before the first."""
    content = json.loads(file.read_text(encoding="utf-8"))
    return content.get("checkpoint", {}).get("latest") or {}


def of_deployment(exported: Mapping[str, Any]) -> dict[str, Any]:
    """The snapshot in what `pulumi stack export` prints, which the engine's own file calls otherwise."""
    return exported.get("deployment") or {}


def outputs_of(snapshot: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """The stack's outputs that are no secret, and the names of those that the engine keeps encrypted."""
    for resource in snapshot.get("resources") or ():
        if resource["type"] == "pulumi:pulumi:Stack":
            found = resource.get("outputs") or {}
            secret = {name for name, value in found.items() if isinstance(value, dict) and SECRET_MARK in value}
            return {name: value for name, value in found.items() if name not in secret}, frozenset(secret)
    return {}, frozenset()
