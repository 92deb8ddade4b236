"""Builds a pinned Go program, with the Go on PATH if it is recent enough, else with the locked wheel's.

Modules and compiled packages take gigabytes, so a build keeps them in a folder of its own and removes it at the end.
The caches of the machine's own Go are neither read nor written.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

from tools.paths import ROOT, cache_folder
from tools.setup.console import SetupError, run_reported
from tools.setup.trust import trusting
from tools.setup.uv import ensure_uv
from tools.toolchain import reported_version, version_numbers
from tools.versions import GO

BUILD_TIMEOUT_SECONDS = 5400


@dataclass(frozen=True)
class GoProgram:
    """A `main` package of a module in `tools`, or of a module that it pins."""

    name: str
    """Its file's name."""
    module: str
    """Folder in `tools` with the `go.mod`."""
    package: str
    """Import path of the package to build."""
    versioned_by: str = ""
    """The module whose version is the program's."""
    variables: tuple[str, ...] = ()
    """Go variables set at link time; `{version}`, `{major}` and `{minor}` are filled in."""
    embedded: str = ""
    """Folder in `versioned_by` with the JSON files that the program embeds."""
    cache: str = "go-programs"
    """Folder in the cache."""
    place: Path | None = None
    """Its path, if that is not to depend on the module's pins and sources."""

    @property
    def path(self) -> Path:
        """Its path in the cache; the folder's name depends on the module's pins and sources."""
        if self.place is not None:
            return self.place
        digest = hashlib.sha256(json.dumps([self.package, self.variables]).encode())
        for source in sorted((ROOT / "tools" / self.module).iterdir()):
            if source.is_file():
                digest.update(source.name.encode() + b"\0" + source.read_bytes())
        return cache_folder() / self.cache / f"{self.name}-{digest.hexdigest()[:12]}" / self.name


class Toolchain(NamedTuple):
    """How Go is called: its command and environment variables, and a temporary folder in the cache."""

    command: list[str]
    environment: dict[str, str]
    scratch: Path


def built(*programs: GoProgram) -> list[Path]:
    """Paths of the programs in the cache, each built aside and moved there if it is missing.

    Raises `SetupError` if Go, a module or the compiler fails.
    """
    missing = [program for program in programs if not os.access(program.path, os.X_OK)]
    if missing:
        with go_toolchain() as toolchain:
            for program in missing:
                _build(program, toolchain)
    return [program.path for program in programs]


def _build(program: GoProgram, toolchain: Toolchain) -> None:
    source = Path(shutil.copytree(ROOT / "tools" / program.module, toolchain.scratch / program.name))
    target = toolchain.scratch / f"built-{program.name}"
    if program.embedded:
        _borrow(source, program, toolchain)
    options = ["-trimpath", "-ldflags", _linker_flags(program, source), "-o", str(target)]
    run_reported(
        [*toolchain.command, "build", *options, program.package],
        f"Building {program.name} (some minutes, this once)",
        folder=source,
        environment=toolchain.environment,
        timeout_seconds=BUILD_TIMEOUT_SECONDS,
    )
    program.path.parent.mkdir(parents=True, exist_ok=True)
    target.replace(program.path)


def _linker_flags(program: GoProgram, source: Path) -> str:
    flags = ["-s -w"]
    if program.variables:
        pins = (source / "go.mod").read_text(encoding="utf-8")
        found = re.search(rf"{re.escape(program.versioned_by)} (v\S+)", pins)
        if found is None:
            raise SetupError(f"tools/{program.module}/go.mod does not pin {program.versioned_by}")
        major, minor = found[1].removeprefix("v").split(".")[:2]
        flags += [f"-X {text.format(version=found[1], major=major, minor=minor)}" for text in program.variables]
    return " ".join(flags)


def _borrow(source: Path, program: GoProgram, toolchain: Toolchain) -> None:
    """Copy the files that the program embeds from a pinned module; Go only embeds files of the program's own module."""
    downloaded = subprocess.run(  # noqa: S603 - the Go that was just chosen
        [*toolchain.command, "mod", "download", "-json", program.versioned_by],
        cwd=source,
        env=toolchain.environment,
        capture_output=True,
        check=False,
        text=True,
    )
    if downloaded.returncode != 0:
        raise SetupError(f"Go cannot download {program.versioned_by}: {downloaded.stderr.strip()[-500:]}")
    folder = Path(json.loads(downloaded.stdout)["Dir"]) / program.embedded
    for name in ("schema.json", "terraform-mapping.json"):
        shutil.copyfile(folder / name, source / name)


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
        yield Toolchain([on_path] if (on_path := go_on_path()) else _go_of_the_lock(), environment, Path(scratch))


def _go_of_the_lock() -> list[str]:
    run = [str(ensure_uv()), "run", "--project", str(ROOT), "--frozen", "--isolated"]
    return [*run, "--only-group", "tool-go", "go"]


def _clear_what_was_killed() -> None:
    """Remove the temporary folders of processes that were killed."""
    for folder in cache_folder().glob("go-*-*"):
        process = folder.name.split("-")[1]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            shutil.rmtree(folder, ignore_errors=True)
