"""Finds uv, or fetches the release that `uv.lock` pins.

pip fetches the wheel if the machine has pip, because pip knows the machine's mirror and proxy; otherwise it comes from
the address in the lock file. Either way its checksum must be that in the lock file. The set-up reads this module with
the machine's own Python before any package is there, so it keeps to the standard library and to the grammar of Python
3.8.
"""

import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Optional

from tools import machine
from tools.paths import ROOT
from tools.setup.console import SetupError, first_that_works, say
from tools.setup.trust import tls, trusting
from training.runtime import cache_folder

TIMEOUT_SECONDS = 60


WHEELS = {"Linux": "manylinux", "Darwin": "macosx"}
"""Part of a wheel's file name, by operating system."""


class LockedUv:
    """The release of uv in the lock file: `version`, `url` of a wheel for this machine (else empty), all `hashes`."""

    def __init__(self, lock: str) -> None:
        found = re.search(r'^name = "uv"\n.*?(?=^\[\[package\]\]|\Z)', lock, re.MULTILINE | re.DOTALL)
        package = found.group(0) if found else ""
        version = re.search(r'^version = "([^"]+)"', package, re.MULTILINE)
        if not version:
            raise SetupError("uv.lock does not name uv; restore the file from git")
        system, processor = WHEELS.get(platform.system(), platform.system()), platform.machine()
        wheel = re.search(rf'url = "([^"]+-{system}[^"]+_{processor}[^"]*)"', package)
        self.version = version.group(1)
        self.url = wheel.group(1) if wheel else ""
        # Some machines can use several wheels, of which pip picks its own.
        self.hashes = frozenset(re.findall(r'\.whl", hash = "sha256:(\w+)"', package))


def find_uv(locked: LockedUv) -> "Optional[Path]":
    """A uv of at least the locked release, on PATH or in the cache; None if there is none."""
    on_path = shutil.which("uv")
    if on_path and _version(on_path) >= _numbers(locked.version):
        return Path(on_path)
    cached = _cached(locked)
    return cached if os.access(str(cached), os.X_OK) else None


def ensure_uv() -> Path:
    """Absolute path of a uv of at least the locked release, fetched into the cache if needed; raises `SetupError`."""
    locked = locked_uv()
    found = find_uv(locked)
    if found:
        return found
    if not locked.url:
        raise SetupError(
            f"uv.lock has no wheel of uv for {machine.platform_name()}; install uv {locked.version} or newer by hand"
        )
    target = _cached(locked)
    say(f"Fetching uv {locked.version}, which is not on PATH ...")
    first_that_works(
        f"uv {locked.version}",
        [("pip", lambda: _by_pip(locked, target)), ("the address in uv.lock", lambda: _by_address(locked, target))],
    )
    return target


def locked_uv() -> LockedUv:
    """The release of uv in this repository's lock file."""
    return LockedUv((ROOT / "uv.lock").read_text(encoding="utf-8"))


def _cached(locked: LockedUv) -> Path:
    return cache_folder() / "uv" / locked.version / "uv"


def _by_pip(locked: LockedUv, target: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--disable-pip-version-check"]
        command += ["--only-binary", ":all:", "-d", scratch, f"uv=={locked.version}"]
        answer = subprocess.run(  # noqa: S603 - this very Python
            command,
            env=trusting(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        wheels = list(Path(scratch).glob("uv-*.whl"))
        if answer.returncode != 0 or not wheels:
            lines = answer.stdout.strip().splitlines()
            raise SetupError(f"pip cannot fetch uv ({lines[-1] if lines else 'it printed nothing'})")
        unpack(wheels[0].read_bytes(), locked, target)


def _by_address(locked: LockedUv, target: Path) -> None:
    try:
        with urllib.request.urlopen(locked.url, timeout=TIMEOUT_SECONDS, context=tls()) as answer:  # noqa: S310 - an https address of the lock
            wheel = answer.read()
    except (OSError, urllib.error.URLError) as error:
        raise SetupError(f"cannot fetch uv's wheel ({error}); check the network or install uv by hand") from error
    unpack(wheel, locked, target)


def unpack(wheel: bytes, locked: LockedUv, target: Path) -> None:
    """Check that `wheel` is the locked one, and move the program in it to `target`."""
    if hashlib.sha256(wheel).hexdigest() not in locked.hashes:
        raise SetupError(f"the fetched wheel of uv {locked.version} is not one in uv.lock (its SHA-256 differs)")
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        program = next(name for name in archive.namelist() if name.endswith("/scripts/uv"))
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".uv-{os.getpid()}")
        aside.write_bytes(archive.read(program))
    aside.chmod(0o755)
    aside.replace(target)


def _version(command: str) -> "tuple[int, ...]":
    try:
        answer = subprocess.run(  # noqa: S603 - the uv that PATH has
            [command, "--version"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return _numbers(answer.stdout)


def _numbers(text: str) -> "tuple[int, ...]":
    match = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in match.group(0).split(".")) if match else ()
