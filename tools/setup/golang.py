"""Builds a pinned Go program, with the Go on PATH when it is recent enough, else with the one of the lock's wheel."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from features.files import written_aside
from tools.paths import ROOT, cache_folder
from tools.setup.console import SetupError, run_reported
from tools.setup.uv import ensure_uv
from tools.toolchain import version_numbers
from tools.versions import GO

BUILD_TIMEOUT_SECONDS = 3600
DOWNLOAD_TIMEOUT_SECONDS = 1800


@dataclass(frozen=True, kw_only=True)
class GoProgram:
    """A `main` package of a module in this repository, or of one that it pins."""

    name: str
    """What the messages call it."""
    module: Path
    """Folder with the `go.mod`."""
    package: str
    """Import path of the package to build."""
    linker_flags: str = "-s -w"


def built(program: GoProgram) -> Path:
    """The program in the cache, where what its module pins names its folder; raises `SetupError` as `build` does."""
    pins = b"".join((program.module / name).read_bytes() for name in ("go.mod", "go.sum"))
    target = cache_folder() / program.name / hashlib.sha256(pins).hexdigest()[:12] / program.name
    if not os.access(target, os.X_OK):
        target.parent.mkdir(parents=True, exist_ok=True)
        with written_aside(target) as aside:
            build(program, aside)
    return target


def build(program: GoProgram, target: Path) -> None:
    """Build `program` into the file `target`; raises `SetupError` when Go, a module or the compiler fails."""
    with go_toolchain() as (command, environment):
        # Not `go mod download`: that asks for every module of the go.mod, and many are not part of the program.
        run_reported(
            [*command, "list", "-deps", program.package],
            f"Fetching the Go modules of {program.name}",
            folder=program.module,
            environment=environment,
            timeout_seconds=DOWNLOAD_TIMEOUT_SECONDS,
        )
        total = _package_count(command, program, environment)
        run_reported(
            [
                *command,
                "build",
                "-v",
                "-trimpath",
                "-ldflags",
                program.linker_flags,
                "-o",
                str(target),
                program.package,
            ],
            f"Building {program.name} (some minutes, this once)",
            folder=program.module,
            environment=environment,
            timeout_seconds=BUILD_TIMEOUT_SECONDS,
            progress=lambda count, _line: f"{count} of at most {total} packages",
        )


def go_on_path() -> str:
    """The Go on PATH when it is recent enough; empty otherwise."""
    command = shutil.which("go")
    return command if command and go_version(command) >= version_numbers(GO) else ""


def go_version(command: str) -> tuple[int, ...]:
    """Version that a Go command reports; empty when it does not start."""
    try:
        answer = subprocess.run(  # noqa: S603 - the Go that PATH has
            [command, "version"], capture_output=True, check=False, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return version_numbers(answer.stdout)


@contextmanager
def go_toolchain() -> Iterator[tuple[list[str], dict[str, str]]]:
    """Command and environment of a Go. A Go of our own leaves no module or build cache behind: those take gigabytes."""
    environment = os.environ | {
        "CGO_ENABLED": "0",
        "GOFLAGS": "-buildvcs=false -modcacherw",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "HOME": str(Path.home()),
    }
    if command := go_on_path():
        yield [command], environment
        return
    cache_folder().mkdir(parents=True, exist_ok=True)
    _clear_what_was_killed()
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=f"go-{os.getpid()}-") as scratch:
        bring = [
            str(ensure_uv()),
            "run",
            "--project",
            str(ROOT),
            "--frozen",
            "--isolated",
            "--only-group",
            "tool-go",
            "go",
        ]
        yield bring, environment | {"GOMODCACHE": f"{scratch}/modules", "GOCACHE": f"{scratch}/build"}


def _clear_what_was_killed() -> None:
    """Remove the scratch folders of processes that are gone."""
    for folder in cache_folder().glob("go-*-*"):
        process = folder.name.split("-")[1]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            shutil.rmtree(folder, ignore_errors=True)


def _package_count(command: list[str], program: GoProgram, environment: dict[str, str]) -> int:
    """How many packages the program consists of, which the messages measure the progress against."""
    answer = subprocess.run(  # noqa: S603 - the Go that was just chosen
        [*command, "list", "-deps", program.package],
        cwd=program.module,
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=DOWNLOAD_TIMEOUT_SECONDS,
    )
    if answer.returncode != 0:
        raise SetupError(f"Go can not list the packages of {program.name}: {answer.stderr.strip()[-500:]}")
    return len(answer.stdout.splitlines())
