"""The registry's versions for `models`, `serve` and `status`."""

from pathlib import Path
from typing import Any

from rich.table import Table

from features.errors import BadInputError
from personalize.clients.model_registry import versions_of
from personalize.errors import StackMissingError
from personalize.terminal.output import results, tell
from steps.model_versions import NoSuchVersionError, Version

MEASURES = {
    "auc": "AUC",
    "log_loss": "log loss",
    "calibration_error": "calibration error",
    "ndcg": "NDCG@10",
    "recall": "recall@10",
}
"""The metrics of a click model, and those of a model that only recommends."""
SHOWN = ("auc", "log_loss", "ndcg")


def model_rows(stack: str, settings_file: Path | None = None) -> list[dict[str, Any]]:
    """The versions as plain values, newest first. Raises `StackMissingError` if there are none."""
    versions = versions_of(stack, settings_file).list()
    if not versions:
        raise StackMissingError(f"Stack {stack} has no models yet. `.venv/bin/personalize up` trains the first.")
    return [
        {
            "version": version.number,
            "champion": version.champion,
            "accepted": version.accepted,
            "reasons": list(version.reasons),
            "registered": version.registered.isoformat(timespec="seconds"),
            **{name: version.metrics.get(name) for name in MEASURES},
            "bundle_hash": version.bundle_hash,
            "manifest_hash": version.manifest_hash,
            "code_hash": version.code_hash,
            "hyperparameters": version.hyperparameters,
        }
        for version in reversed(versions)
    ]


def show_models(rows: list[dict[str, Any]]) -> None:
    """Print the versions with the champion marked, then the gate's reasons for each rejected one."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    measured = [name for name in SHOWN if any(row[name] is not None for row in rows)]
    for title in ("version", *(MEASURES[name] for name in measured)):
        table.add_column(title, justify="right")
    for title in ("registered", "data", "code", ""):
        table.add_column(title)
    for row in rows:
        state = "[green]champion[/]" if row["champion"] else "" if row["accepted"] else "[red]rejected[/]"
        scores = ("" if row[name] is None else f"{row[name]:.4f}" for name in measured)
        hashes = (row["manifest_hash"][:10], row["code_hash"][:10])
        table.add_row(str(row["version"]), *scores, row["registered"].replace("T", " ")[:19], *hashes, state)
    results.print(table)
    for row in rows:
        if not row["accepted"]:
            tell(f"version {row['version']}: {' '.join(row['reasons'])}")


def champion(stack: str, settings_file: Path | None = None) -> int | None:
    """The version that serves, None before the first one."""
    found = versions_of(stack, settings_file).get_champion()
    return found.number if found else None


def require_version(stack: str, version: int, settings_file: Path | None = None) -> Version:
    """The version; raises `BadInputError` if the registry has no such one, or if the gate rejected it."""
    try:
        found = versions_of(stack, settings_file).get(version)
    except NoSuchVersionError as error:
        raise BadInputError(str(error)) from error
    if not found.accepted:
        raise BadInputError(f"The gate rejected model version {version}: {' '.join(found.reasons)} Choose another one.")
    return found
