"""What `personalize.checks.doctor` reads, as one function each, so that a test can replace them."""

import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from tools import machine
from tools.paths import ROOT, cache_folder
from tools.setup.packages import packages_in_sync
from tools.setup.uv import find_uv, locked_uv
from tools.toolchain import PulumiMissingError, pulumi_command, pulumi_version
from training.runtime import JavaMissingError, jar_problems, jars_folder, java_home


def _packages_in_sync() -> bool:
    uv = find_uv(locked_uv())
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


@dataclass(frozen=True, kw_only=True)
class Probes:
    """Functions that read the machine. Each returns what it finds, or something empty."""

    platform_name: Callable[[], str] = machine.platform_name
    glibc_version: Callable[[], str] = machine.glibc_version
    openmp_loads: Callable[[], bool] = machine.openmp_loads
    package_manager: Callable[[], str] = machine.package_manager
    is_root: Callable[[], bool] = machine.is_root
    python_version: Callable[[], str] = platform.python_version
    uv: Callable[[], Path | None] = lambda: find_uv(locked_uv())
    packages_in_sync: Callable[[], bool] = _packages_in_sync
    java: Callable[[], Path | None] = _java
    jar_problems: Callable[[], list[str]] = lambda: jar_problems(jars_folder())
    pulumi: Callable[[], tuple[Path, tuple[int, ...]] | None] = _pulumi
    free_disk_bytes: Callable[[], int] = _free_disk_bytes
    memory_bytes: Callable[[], int] = lambda: psutil.virtual_memory().total
