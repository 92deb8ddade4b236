"""What `doctor` finds, as rows."""

from dataclasses import asdict
from typing import Any

from rich.table import Table

from infra.cli.output import results
from infra.doctor import diagnose


def diagnose_machine() -> list[dict[str, Any]]:
    """The findings as plain values."""
    return [asdict(finding) | {"ok": finding.ok} for finding in diagnose()]


def show_findings(findings: list[dict[str, Any]]) -> None:
    """Print each finding, and below the table what mends the bad ones."""
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        mark = "[green]✔[/]" if finding["ok"] else "[red]✘[/]"
        table.add_row(mark, finding["name"], finding["found"], "" if finding["ok"] else f"needs {finding['wanted']}")
    results.print(table)
    bad = [finding for finding in findings if not finding["ok"]]
    results.print()
    for finding in bad:
        results.print(f"{finding['name']}: {finding['fix']}", markup=False)
    if not bad:
        results.print("Everything is there.", markup=False)
