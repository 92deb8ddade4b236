"""Checks what the project needs of a machine that was set up, with a fix for each fault."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import psutil

from tools.paths import ROOT, cache_folder
from tools.setup.packages import packages_in_sync
from tools.setup.uv import find_uv, locked_uv
from tools.toolchain import PulumiMissingError, pulumi_command, pulumi_version, version_numbers
from tools.versions import PULUMI

GIB = 2**30
DISK_GIB = 6
"""Python packages with uv's cache 2.5 GiB, the build of Pulumi 3 GiB, the default stack less than 0.1 GiB."""
MEMORY_GIB = 6
"""Spark's driver has 4 GiB of heap by default; Pulumi, the service and the system need the rest."""

SETUP = "make setup"


class Status(StrEnum):
    """The result of a check."""

    OK = "ok"
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

    @property
    def ok(self) -> bool:
        """Whether `up` can run with this result."""
        return self.status in (Status.OK, Status.REMARK)


def good(name: str, found: str, wanted: str) -> Finding:
    """A finding without a fault."""
    return Finding(name=name, status=Status.OK, found=found, wanted=wanted)


def bad(name: str, found: str, wanted: str, fix: str) -> Finding:
    """A fault that stops `up`."""
    return Finding(name=name, status=Status.WRONG, found=found, wanted=wanted, fix=fix)


def remark(name: str, found: str, wanted: str, fix: str) -> Finding:
    """Something that may matter later, or is not known yet."""
    return Finding(name=name, status=Status.REMARK, found=found, wanted=wanted, fix=fix)


def diagnose() -> list[Finding]:
    """All findings about this machine, good ones too."""
    return [_packages(), _pulumi(), *_room()]


def _found(name: str, found: str, wanted: str, fix: str, *, holds: bool) -> Finding:
    return good(name, found, wanted) if holds else bad(name, found, wanted, fix)


def _packages() -> Finding:
    uv = find_uv(locked_uv())
    holds = uv is not None and packages_in_sync(uv)
    found = "as locked" if holds else "not as locked"
    return _found("Python packages", found, "those of uv.lock in .venv", SETUP, holds=holds)


def _pulumi() -> Finding:
    wanted = f"{PULUMI} or newer"
    try:
        command = pulumi_command()
    except PulumiMissingError:
        return _found("Pulumi", "none", wanted, SETUP, holds=False)
    version = pulumi_version(command)
    found = f"{'.'.join(map(str, version)) or 'does not start'} ({command})"
    return _found("Pulumi", found, wanted, f"rm -f {command} && {SETUP}", holds=version >= version_numbers(PULUMI))


def _room() -> Iterator[Finding]:
    cache = cache_folder()
    existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = min(shutil.disk_usage(folder).free for folder in (ROOT, existing)) / GIB
    fix = "free some space, or set PERSONALIZE_CACHE to a folder on a larger disk"
    yield _found("disk space", f"{free:.1f} GiB free", f"{DISK_GIB} GiB free", fix, holds=free >= DISK_GIB)
    memory = psutil.virtual_memory().total / GIB
    fix = "use a machine with more memory, or lower `driver_memory_gib` of the setting `training`"
    yield _found("memory", f"{memory:.1f} GiB", f"{MEMORY_GIB} GiB", fix, holds=memory >= MEMORY_GIB)
