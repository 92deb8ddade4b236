"""Selects findings of a preflight."""

from personalize.checks.doctor import Finding


def faults(findings: list[Finding]) -> dict[str, Finding]:
    return {found.name: found for found in findings if not found.ok}


def named(findings: list[Finding], name: str) -> Finding:
    [found] = [found for found in findings if found.name == name]
    return found
