"""Builds a pinned Go program, with the Go on PATH if it is recent enough, else with the locked wheel's.

Modules and compiled packages take gigabytes, so a build keeps them in a folder of its own and removes it at the end.
The caches of the machine's own Go are neither read nor written.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

from features.files import written_aside
from tools.paths import ROOT, cache_folder
from tools.setup.console import SetupError, run_reported
from tools.setup.trust import trusting
from tools.setup.uv import ensure_uv
from tools.toolchain import reported_version, version_numbers
from tools.versions import GO

BUILD_TIMEOUT_SECONDS = 3600
DOWNLOAD_TIMEOUT_SECONDS = 1800


@dataclass(frozen=True, kw_only=True)
class GoProgram:
    """A `main` package of a module in this repository, or of a module that it pins."""

    name: str
    """Its name in messages."""
    module: Path
    """Folder with the `go.mod`."""
    package: str
    """Import path of the package to build."""
    linker_flags: str = "-s -w"


class Toolchain(NamedTuple):
    """How Go is called: its command and environment variables."""

    command: list[str]
    environment: dict[str, str]


def built(program: GoProgram) -> Path:
    """Path of the program in the cache, built if it is missing; its folder is named by a hash of the module's pins.

    Raises `SetupError` as `build` does.
    """
    pins = b"".join((program.module / name).read_bytes() for name in ("go.mod", "go.sum"))
    target = cache_folder() / program.name / hashlib.sha256(pins).hexdigest()[:12] / program.name
    if not os.access(target, os.X_OK):
        target.parent.mkdir(parents=True, exist_ok=True)
        with go_toolchain() as toolchain, written_aside(target) as aside:
            build(program, aside, toolchain)
    return target


def build(program: GoProgram, target: Path, toolchain: Toolchain) -> None:
    """Build `program` into the file `target`; raises `SetupError` if Go, a module or the compiler fails."""
    # Not `go mod download`, which fetches every module in go.mod; many are not part of the program.
    run_reported(
        [*toolchain.command, "list", "-deps", program.package],
        f"Fetching the Go modules of {program.name}",
        folder=program.module,
        environment=toolchain.environment,
        timeout_seconds=DOWNLOAD_TIMEOUT_SECONDS,
    )
    total = _package_count(program, toolchain)
    options = ["-v", "-trimpath", "-ldflags", program.linker_flags, "-o", str(target)]
    run_reported(
        [*toolchain.command, "build", *options, program.package],
        f"Building {program.name} (some minutes, this once)",
        folder=program.module,
        environment=toolchain.environment,
        timeout_seconds=BUILD_TIMEOUT_SECONDS,
        progress=lambda count, _line: f"{count} of at most {total} packages",
    )


def go_on_path() -> str:
    """The Go on PATH if it is recent enough, else empty."""
    command = shutil.which("go")
    return command if command and reported_version(command, "version") >= version_numbers(GO) else ""


@contextmanager
def go_toolchain() -> Iterator[Toolchain]:
    """A Go with temporary caches, which several builds can share."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    _clear_what_was_killed()
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=f"go-{os.getpid()}-") as scratch:
        environment = trusting() | {
            "CGO_ENABLED": "0",
            "GOCACHE": f"{scratch}/build",
            "GOFLAGS": "-buildvcs=false -modcacherw",
            "GOMODCACHE": f"{scratch}/modules",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "HOME": str(Path.home()),
        }
        yield Toolchain([on_path] if (on_path := go_on_path()) else _go_of_the_lock(), environment)


def _go_of_the_lock() -> list[str]:
    run = [str(ensure_uv()), "run", "--project", str(ROOT), "--frozen", "--isolated"]
    return [*run, "--only-group", "tool-go", "go"]


def _clear_what_was_killed() -> None:
    """Remove the temporary folders of processes that were killed."""
    for folder in cache_folder().glob("go-*-*"):
        process = folder.name.split("-")[1]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            shutil.rmtree(folder, ignore_errors=True)


def _package_count(program: GoProgram, toolchain: Toolchain) -> int:
    """How many packages the program consists of; progress is reported against this number."""
    return len(go_output(toolchain, program.module, "list", "-deps", program.package).splitlines())


def go_output(toolchain: Toolchain, module: Path, *arguments: str) -> str:
    """What `go` prints in the folder `module`; raises `SetupError`."""
    answer = subprocess.run(  # noqa: S603 - the Go that was just chosen
        [*toolchain.command, *arguments],
        cwd=module,
        env=toolchain.environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=DOWNLOAD_TIMEOUT_SECONDS,
    )
    if answer.returncode != 0:
        raise SetupError(f"`go {' '.join(arguments)}` failed in {module}: {answer.stderr.strip()[-500:]}")
    return answer.stdout
