"""Finds uv, or fetches the release that `uv.lock` pins, from the address there and with its checksum.

The set-up reads this module with the machine's own Python before any package is there, so it keeps to the standard
library.
"""

import hashlib
import io
import os
import platform
import re
import shutil
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tools import machine
from tools.paths import ROOT
from tools.setup.console import SetupError, say
from tools.setup.trust import tls
from tools.toolchain import reported_version, version_numbers
from training.runtime import cache_folder

TIMEOUT_SECONDS = 60
WHEELS = {"Linux": "manylinux", "Darwin": "macosx"}
"""Part of a wheel's file name, by operating system."""


@dataclass(frozen=True)
class LockedUv:
    """The release of uv in the lock file, and its wheel for this machine, empty if there is none."""

    version: str
    url: str
    sha256: str

    @classmethod
    def of(cls, lock: str) -> "LockedUv":
        """The release in the text of a lock file. Raises `SetupError` if it names none."""
        found = re.search(
            r'^name = "uv"\nversion = "([^"]+)".*?(?=^\[\[package\]\]|\Z)', lock, re.MULTILINE | re.DOTALL
        )
        if not found:
            raise SetupError("uv.lock does not name uv; restore the file from git")
        system, processor = WHEELS.get(platform.system(), platform.system()), platform.machine()
        wheel = re.search(rf'url = "([^"]+-{system}[^"]+_{processor}[^"]*)", hash = "sha256:(\w+)"', found[0])
        return cls(found[1], *(wheel.groups() if wheel else ("", "")))


def find_uv(locked: LockedUv) -> Path | None:
    """A uv of at least the locked release, on PATH or in the cache; None if there is none."""
    on_path = shutil.which("uv")
    if on_path and reported_version(on_path, "--version") >= version_numbers(locked.version):
        return Path(on_path)
    cached = _cached(locked)
    return cached if os.access(cached, os.X_OK) else None


def ensure_uv() -> Path:
    """Absolute path of a uv of at least the locked release, fetched into the cache if needed; raises `SetupError`."""
    locked = locked_uv()
    found = find_uv(locked)
    if found:
        return found
    by_hand = f"install uv {locked.version} or newer by hand (`pip install uv`, for example)"
    if not locked.url:
        raise SetupError(f"uv.lock has no wheel of uv for {machine.platform_name()}; {by_hand}")
    say(f"Fetching uv {locked.version}, which is not on PATH ...")
    try:
        with urllib.request.urlopen(locked.url, timeout=TIMEOUT_SECONDS, context=tls()) as answer:  # noqa: S310 - an https address of the lock
            wheel = answer.read()
    except OSError as error:
        raise SetupError(f"cannot fetch {locked.url} ({error}); check the network, or {by_hand}") from error
    unpack(wheel, locked, _cached(locked))
    return _cached(locked)


def locked_uv() -> LockedUv:
    """The release of uv in this repository's lock file."""
    return LockedUv.of((ROOT / "uv.lock").read_text(encoding="utf-8"))


def _cached(locked: LockedUv) -> Path:
    return cache_folder() / "uv" / locked.version / "uv"


def unpack(wheel: bytes, locked: LockedUv, target: Path) -> None:
    """Check that `wheel` is the locked one, and move the program in it to `target`."""
    if hashlib.sha256(wheel).hexdigest() != locked.sha256:
        raise SetupError(f"the fetched wheel of uv {locked.version} is not the one in uv.lock (its SHA-256 differs)")
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        program = next(name for name in archive.namelist() if name.endswith("/scripts/uv"))
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".uv-{os.getpid()}")
        aside.write_bytes(archive.read(program))
    aside.chmod(0o755)
    aside.replace(target)
