"""Checks everything that the project needs of a machine, with a fix for each fault."""

import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from tools import machine
from tools.paths import ROOT, cache_folder
from tools.setup.packages import packages_in_sync
from tools.setup.uv import find_uv, locked_uv
from tools.toolchain import PulumiMissingError, pulumi_command, pulumi_version, version_numbers
from tools.versions import GLIBC, JAVA, PULUMI, PYTHON, SYNAPSEML
from training.runtime import JavaMissingError, jar_problems, jars_folder, java_home

GIB = 2**30
DISK_GIB = 6
"""Python packages with uv's cache 2.5 GiB, the build of Pulumi 3 GiB, the default stack less than 0.1 GiB."""
MEMORY_GIB = 6
"""Spark's driver has 4 GiB of heap by default; Pulumi, the service and the system need the rest."""

SETUP = "make setup"
SPARK = "make spark"


def _uv() -> Path | None:
    return find_uv(locked_uv())


def _packages_in_sync() -> bool:
    uv = _uv()
    return uv is not None and packages_in_sync(uv)


def _java() -> Path | None:
    try:
        return java_home()
    except JavaMissingError:
        return None


def _pulumi() -> tuple[Path, tuple[int, ...]] | None:
    try:
        command = pulumi_command()
    except PulumiMissingError:
        return None
    return command, pulumi_version(command)


def _free_disk_bytes() -> int:
    """The free bytes for the repository or for the cache, whichever is less."""
    cache = cache_folder()
    existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    return min(shutil.disk_usage(folder).free for folder in (ROOT, existing))


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


def diagnose() -> list[Finding]:
    """All findings about this machine, good ones too."""
    return [check() for check in CHECKS]


def _check_platform() -> Finding:
    found = machine.platform_name()
    if found == machine.TESTED:
        return Finding(name="platform", status=Status.OK, found=found, wanted=machine.TESTED)
    remark = f"the project is tested on {machine.TESTED} only, and SynapseML has no other binary; the rest may work"
    return Finding(name="platform", status=Status.REMARK, found=found, wanted=machine.TESTED, fix=remark)


def _check_glibc() -> Finding:
    if not machine.platform_name().startswith("Linux"):
        return Finding(name="C library", status=Status.OK, found="the system's", wanted="nothing, this is no Linux")
    found = machine.glibc_version()
    return _finding(
        "C library",
        found=f"glibc {found}" if found else "",
        wanted=f"glibc {GLIBC} or newer",
        holds=version_numbers(found) >= version_numbers(GLIBC),
        fix="use a newer Linux with the GNU C library, such as Debian 12 or Ubuntu 22.04",
    )


def _check_openmp() -> Finding:
    loads, library = machine.openmp_loads(), machine.openmp_library()
    fix = machine.install_command("openmp", machine.package_manager(), is_root=machine.is_root())
    return _finding("OpenMP", found=library if loads else "", wanted=library, holds=loads, fix=fix)


def _check_python() -> Finding:
    found = platform.python_version()
    holds = version_numbers(found)[:2] == version_numbers(PYTHON)
    return _finding("Python", found=found, wanted=PYTHON, holds=holds, fix=f"rm -rf .venv && {SETUP}")


def _check_uv() -> Finding:
    found = _uv()
    return _finding(
        "uv", found=str(found or ""), wanted="the release in uv.lock, or newer", holds=bool(found), fix=SETUP
    )


def _check_packages() -> Finding:
    holds = _packages_in_sync()
    found = "as locked" if holds else "not as locked"
    return _finding("Python packages", found=found, wanted="those of uv.lock in .venv", holds=holds, fix=SETUP)


def _check_java() -> Finding:
    found = _java()
    command = machine.install_command("java", machine.package_manager(), is_root=machine.is_root())
    fix = f"{SPARK}, or for a patched one: {command}"
    return _for_spark("Java", found=str(found or "none"), wanted=f"Java {JAVA}", holds=bool(found), fix=fix)


def _check_jars() -> Finding:
    problems = jar_problems(jars_folder())
    found = "; ".join(problems) or "all, as pinned"
    return _for_spark("Spark jars", found=found, wanted=f"SynapseML {SYNAPSEML}", holds=not problems, fix=SPARK)


def _for_spark(name: str, *, found: str, wanted: str, holds: bool, fix: str) -> Finding:
    """A finding that is no fault if it is missing, as only Spark on this machine needs it."""
    if holds:
        return Finding(name=name, status=Status.OK, found=found, wanted=wanted)
    remark = f"{fix} (only for `training.engine: spark` and `scoring.engine: spark-serving` on this machine)"
    return Finding(name=name, status=Status.REMARK, found=found, wanted=wanted, fix=remark)


def _check_pulumi() -> Finding:
    found = _pulumi()
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


def _check_disk() -> Finding:
    free = _free_disk_bytes()
    return _finding(
        "disk space",
        found=f"{free / GIB:.1f} GiB free",
        wanted=f"{DISK_GIB} GiB free",
        holds=free >= DISK_GIB * GIB,
        fix="free some space, or set PERSONALIZE_CACHE to a folder on a larger disk",
    )


def _check_memory() -> Finding:
    memory = psutil.virtual_memory().total
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


CHECKS: tuple[Callable[[], Finding], ...] = (
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
