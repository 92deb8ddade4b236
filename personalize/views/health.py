"""The findings of `doctor` as rows."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from personalize.checks.doctor import Finding, Status, diagnose
from personalize.checks.subscription.subject import subject_of
from personalize.stack.on_azure import azure_of, require_packages
from personalize.terminal.output import results

MARKS = {Status.OK: "[green]✔[/]", Status.REMARK: "[yellow]![/]"} | dict.fromkeys(
    (Status.MISSING, Status.WRONG), "[red]✘[/]"
)


def diagnose_machine() -> list[dict[str, Any]]:
    """The findings as plain values."""
    return as_rows(diagnose())


def diagnose_stack(stack: str, settings_file: Path | None) -> list[dict[str, Any]]:
    """The findings about a stack's subscription; none for a local stack. Raises `SettingsError`."""
    settings = azure_of(stack, settings_file)
    if settings is None:
        return []
    require_packages()
    from personalize.checks.subscription.preflight import examine  # noqa: PLC0415 - needs Azure's packages

    return as_rows(examine(subject_of(stack, settings)))


def as_rows(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """The findings as plain values."""
    return [asdict(finding) | {"ok": finding.ok} for finding in findings]


def show_findings(findings: list[dict[str, Any]], *, to: Console = results) -> None:
    """Print each finding, and below the table how to fix the bad ones."""
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        table.add_row(MARKS[finding["status"]], finding["name"], finding["found"], _need(finding))
    to.print(table)
    bad = [finding for finding in findings if not finding["ok"]]
    to.print()
    for finding in findings:
        if finding["fix"]:
            to.print(f"{finding['name']}: {finding['fix']}", markup=False)
    if not bad:
        to.print("Nothing is missing.", markup=False)


def _need(finding: dict[str, Any]) -> str:
    return "" if finding["ok"] else f"needs {finding['wanted']}"
