"""Checks everything that the project needs of a machine, with a fix for each fault."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from personalize.checks.probes import Probes
from tools import machine
from tools.toolchain import version_numbers
from tools.versions import GLIBC, JAVA, PULUMI, PYTHON, SYNAPSEML

GIB = 2**30
DISK_GIB = 6
"""Python packages with uv's cache 2.5 GiB, the build of Pulumi 3 GiB, the default stack less than 0.1 GiB."""
MEMORY_GIB = 6
"""Spark's driver has 4 GiB of heap by default; Pulumi, the service and the system need the rest."""

SETUP = "make setup"
SPARK = "make spark"


class Status(StrEnum):
    """The result of a check."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"
    REMARK = "remark"
    """No fault, but worth knowing."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of one check. `fix` is a command or advice, empty if nothing is to be done."""

    name: str
    status: Status
    found: str
    wanted: str
    fix: str = ""
    by_bootstrap: bool = False
    """Whether `personalize bootstrap` fixes it."""

    @property
    def ok(self) -> bool:
        """Whether `up` can run with this result."""
        return self.status in (Status.OK, Status.REMARK)


Check = Callable[[Probes], Finding]


def diagnose(probes: Probes | None = None) -> list[Finding]:
    """All findings about this machine, good ones too."""
    return [check(probes or Probes()) for check in CHECKS]


def _check_platform(probes: Probes) -> Finding:
    found = probes.platform_name()
    if found == machine.TESTED:
        return Finding(name="platform", status=Status.OK, found=found, wanted=machine.TESTED)
    remark = f"the project is tested on {machine.TESTED} only, and SynapseML has no other binary; the rest may work"
    return Finding(name="platform", status=Status.REMARK, found=found, wanted=machine.TESTED, fix=remark)


def _check_glibc(probes: Probes) -> Finding:
    if not probes.platform_name().startswith("Linux"):
        return Finding(name="C library", status=Status.OK, found="the system's", wanted="nothing, this is no Linux")
    found = probes.glibc_version()
    return _finding(
        "C library",
        found=f"glibc {found}" if found else "",
        wanted=f"glibc {GLIBC} or newer",
        holds=version_numbers(found) >= version_numbers(GLIBC),
        fix="use a newer Linux with the GNU C library, such as Debian 12 or Ubuntu 22.04",
    )


def _check_openmp(probes: Probes) -> Finding:
    loads, library = probes.openmp_loads(), machine.openmp_library()
    fix = machine.install_command("openmp", probes.package_manager(), is_root=probes.is_root())
    return _finding("OpenMP", found=library if loads else "", wanted=library, holds=loads, fix=fix)


def _check_python(probes: Probes) -> Finding:
    found = probes.python_version()
    holds = version_numbers(found)[:2] == version_numbers(PYTHON)
    return _finding("Python", found=found, wanted=PYTHON, holds=holds, fix=f"rm -rf .venv && {SETUP}")


def _check_uv(probes: Probes) -> Finding:
    found = probes.uv()
    return _finding(
        "uv", found=str(found or ""), wanted="the release in uv.lock, or newer", holds=bool(found), fix=SETUP
    )


def _check_packages(probes: Probes) -> Finding:
    holds = probes.packages_in_sync()
    found = "as locked" if holds else "not as locked"
    return _finding("Python packages", found=found, wanted="those of uv.lock in .venv", holds=holds, fix=SETUP)


def _check_java(probes: Probes) -> Finding:
    found = probes.java()
    command = machine.install_command("java", probes.package_manager(), is_root=probes.is_root())
    fix = f"{SPARK}, or for a patched one: {command}"
    return _for_spark("Java", found=str(found or "none"), wanted=f"Java {JAVA}", holds=bool(found), fix=fix)


def _check_jars(probes: Probes) -> Finding:
    problems = probes.jar_problems()
    found = "; ".join(problems) or "all, as pinned"
    return _for_spark("Spark jars", found=found, wanted=f"SynapseML {SYNAPSEML}", holds=not problems, fix=SPARK)


def _for_spark(name: str, *, found: str, wanted: str, holds: bool, fix: str) -> Finding:
    """A finding that is no fault if it is missing, as only Spark on this machine needs it."""
    if holds:
        return Finding(name=name, status=Status.OK, found=found, wanted=wanted)
    remark = f"{fix} (only for `training.engine: spark` and `scoring.engine: spark-serving` on this machine)"
    return Finding(name=name, status=Status.REMARK, found=found, wanted=wanted, fix=remark)


def _check_pulumi(probes: Probes) -> Finding:
    found = probes.pulumi()
    if found is None:
        return _finding("Pulumi", found="", wanted=f"{PULUMI} or newer", holds=False, fix=SETUP)
    command, version = found
    return _finding(
        "Pulumi",
        found=f"{'.'.join(map(str, version)) or 'does not start'} ({command})",
        wanted=f"{PULUMI} or newer",
        holds=version >= version_numbers(PULUMI),
        fix=f"rm -f {command} && {SETUP}",
    )


def _check_disk(probes: Probes) -> Finding:
    free = probes.free_disk_bytes()
    return _finding(
        "disk space",
        found=f"{free / GIB:.1f} GiB free",
        wanted=f"{DISK_GIB} GiB free",
        holds=free >= DISK_GIB * GIB,
        fix="free some space, or set PERSONALIZE_CACHE to a folder on a larger disk",
    )


def _check_memory(probes: Probes) -> Finding:
    memory = probes.memory_bytes()
    return _finding(
        "memory",
        found=f"{memory / GIB:.1f} GiB",
        wanted=f"{MEMORY_GIB} GiB",
        holds=memory >= MEMORY_GIB * GIB,
        fix="use a machine with more memory, or lower `driver_memory_gib` of the setting `training`",
    )


def _finding(name: str, *, found: str, wanted: str, holds: bool, fix: str) -> Finding:
    if holds:
        return Finding(name=name, status=Status.OK, found=found, wanted=wanted)
    status = Status.WRONG if found else Status.MISSING
    return Finding(name=name, status=status, found=found or "none", wanted=wanted, fix=fix)


CHECKS: tuple[Check, ...] = (
    _check_platform,
    _check_glibc,
    _check_openmp,
    _check_python,
    _check_uv,
    _check_packages,
    _check_java,
    _check_jars,
    _check_pulumi,
    _check_disk,
    _check_memory,
)
