"""`doctor` on machines that the tests invent."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from personalize.checks.machine import Finding, Status, diagnose
from tools.toolchain import PulumiMissingError, version_numbers
from tools.versions import PULUMI

GIB = 2**30

HEALTHY: dict[str, Any] = {
    "find_uv": Path("/usr/bin/uv"),
    "packages_in_sync": True,
    "pulumi_command": Path("/usr/bin/pulumi"),
    "pulumi_version": version_numbers(PULUMI),
    "shutil.disk_usage": SimpleNamespace(free=50 * GIB),
    "psutil.virtual_memory": SimpleNamespace(total=16 * GIB),
}
"""What is read of the machine, by the function that `checks.machine` calls; an error is raised."""
BROKEN: dict[str, tuple[str, Any]] = {
    "Python packages": ("packages_in_sync", False),
    "Pulumi": ("pulumi_command", PulumiMissingError("none")),
    "disk space": ("shutil.disk_usage", SimpleNamespace(free=GIB)),
    "memory": ("psutil.virtual_memory", SimpleNamespace(total=2 * GIB)),
}
Diagnose = Callable[[dict[str, Any]], dict[str, Finding]]


@pytest.fixture
def diagnosed(monkeypatch: pytest.MonkeyPatch) -> Diagnose:
    """The findings by name about a healthy machine with these differences."""

    def on(changes: dict[str, Any]) -> dict[str, Finding]:
        for name, answer in (HEALTHY | changes).items():
            given = {"side_effect": answer} if isinstance(answer, Exception) else {"return_value": answer}
            monkeypatch.setattr(f"personalize.checks.machine.{name}", Mock(**given))
        return {found.name: found for found in diagnose()}

    return on


def test_a_healthy_machine_needs_no_fix(diagnosed: Diagnose) -> None:
    assert [(found.ok, found.fix) for found in diagnosed({}).values()] == [(True, "")] * 4


@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_is_found_alone_and_comes_with_a_fix(diagnosed: Diagnose, name: str) -> None:
    faults = [found for found in diagnosed(dict([BROKEN[name]])).values() if not found.ok]
    assert [found.name for found in faults] == [name]
    assert faults[0].fix
    assert faults[0].wanted


def test_a_pulumi_that_does_not_start_is_wrong(diagnosed: Diagnose) -> None:
    found = diagnosed({"pulumi_command": Path("/cache/bin/pulumi"), "pulumi_version": ()})["Pulumi"]
    assert found.status is Status.WRONG
    assert "rm -f /cache/bin/pulumi" in found.fix


def test_the_real_probes_answer_on_this_machine() -> None:
    found = {finding.name: finding for finding in diagnose()}

    assert found["Pulumi"].ok
    assert "GiB" in found["disk space"].found
