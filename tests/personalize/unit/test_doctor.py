"""`doctor` on machines that the tests invent."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from personalize.checks.doctor import Finding, Status, diagnose
from personalize.checks.probes import Probes
from tools.toolchain import version_numbers
from tools.versions import PULUMI

GIB = 2**30

HEALTHY = Probes(
    platform_name=lambda: "Linux x86_64",
    glibc_version=lambda: "2.36",
    openmp_loads=lambda: True,
    package_manager=lambda: "apt-get",
    is_root=lambda: False,
    python_version=lambda: "3.11.9",
    uv=lambda: Path("/usr/bin/uv"),
    packages_in_sync=lambda: True,
    java=lambda: Path("/usr/lib/jvm/java-17"),
    jar_problems=list,
    pulumi=lambda: (Path("/usr/bin/pulumi"), version_numbers(PULUMI)),
    free_disk_bytes=lambda: 50 * GIB,
    memory_bytes=lambda: 16 * GIB,
)

BROKEN: dict[str, tuple[str, Any]] = {
    "C library": ("glibc_version", lambda: ""),
    "OpenMP": ("openmp_loads", lambda: False),
    "Python": ("python_version", lambda: "3.12.1"),
    "uv": ("uv", lambda: None),
    "Python packages": ("packages_in_sync", lambda: False),
    "Pulumi": ("pulumi", lambda: None),
    "disk space": ("free_disk_bytes", lambda: GIB),
    "memory": ("memory_bytes", lambda: 2 * GIB),
}


def finding(name: str, probes: Probes) -> Finding:
    return next(found for found in diagnose(probes) if found.name == name)


def test_a_healthy_machine_needs_no_fix() -> None:
    assert [(found.ok, found.fix) for found in diagnose(HEALTHY)] == [(True, "")] * 11


@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_is_found_alone_and_comes_with_a_fix(name: str) -> None:
    probe, answer = BROKEN[name]

    faults = [found for found in diagnose(replace(HEALTHY, **{probe: answer})) if not found.ok]

    assert [found.name for found in faults] == [name]
    assert faults[0].fix
    assert faults[0].wanted


def test_another_platform_is_a_remark_and_needs_no_gnu_c_library() -> None:
    probes = replace(HEALTHY, platform_name=lambda: "Darwin arm64", glibc_version=lambda: "")

    assert [found.name for found in diagnose(probes) if not found.ok] == []
    assert finding("platform", probes).status is Status.REMARK
    assert "tested on Linux x86_64 only" in finding("platform", probes).fix


def test_a_pulumi_that_does_not_start_is_wrong() -> None:
    found = finding("Pulumi", replace(HEALTHY, pulumi=lambda: (Path("/cache/bin/pulumi"), ())))

    assert found.status is Status.WRONG
    assert "rm -f /cache/bin/pulumi" in found.fix


@pytest.mark.parametrize(
    ("name", "probe", "answer"),
    [("Java", "java", None), ("Spark jars", "jar_problems", ["jsch-0.1.54.jar is missing"])],
)
def test_what_spark_alone_needs_is_a_remark_with_the_way_to_get_it(name: str, probe: str, answer: Any) -> None:
    answers: dict[str, Any] = {probe: lambda: answer}
    found = finding(name, replace(HEALTHY, **answers))

    assert (found.ok, found.status) == (True, Status.REMARK)
    assert found.fix.startswith("make spark")
    assert "training.engine: spark" in found.fix


def test_the_real_probes_answer_on_this_machine() -> None:
    found = {finding.name: finding for finding in diagnose()}

    assert found["platform"].ok
    assert found["Python"].ok
    assert "GiB" in found["disk space"].found
