"""The audit: a vulnerability with a fix is an error, and so is a scanner that could not scan."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import audit
from tools.paths import ROOT
from tools.setup.console import SetupError

ANSWER = """
{"results": [
 {"source": {"path": "ROOT/uv.lock", "type": "lockfile"}, "packages": [
  {"package": {"name": "msgspec", "version": "0.22.0", "ecosystem": "PyPI"},
   "groups": [{"ids": ["TEST-1", "GHSA-1"], "aliases": ["TEST-1", "GHSA-1"], "max_severity": ""}],
   "vulnerabilities": [
     {"id": "TEST-1", "affected": [
        {"package": {"ecosystem": "PyPI", "name": "other"},
         "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "7"}]}]},
        {"package": {"ecosystem": "PyPI", "name": "msgspec"},
         "ranges": [{"type": "GIT", "events": [{"introduced": "0"}, {"fixed": "c0ffee"}]}]}]},
     {"id": "GHSA-1", "affected": [
        {"package": {"ecosystem": "PyPI", "name": "msgspec"},
         "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}]}]}]}]},
 {"source": {"path": "/var/lib/dpkg/status", "type": "os"}, "packages": [
  {"package": {"name": "gcc-12", "os_package_name": "libgomp1", "version": "12.2.0-14", "ecosystem": "Debian:12"},
   "groups": [{"ids": ["TEST-2"], "aliases": ["TEST-2"], "max_severity": ""}],
   "vulnerabilities": [
     {"id": "TEST-2", "affected": [
        {"package": {"ecosystem": "Debian:12", "name": "gcc-12"},
         "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]},
        {"package": {"ecosystem": "Debian:13", "name": "gcc-12"},
         "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "13"}]}]}]}]}]}]}
""".replace("ROOT", str(ROOT))
"""OSV-Scanner 2.5's output for invented advisories, with some fields left out and names added."""


@pytest.fixture
def scanner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Makes a scanner that prints a text and exits with a status."""
    program = tmp_path / "osv-scanner"
    monkeypatch.setattr(audit, "built", lambda _: program)

    def make(answer: str, status: int) -> None:
        (tmp_path / "answer").write_text(answer)
        program.write_text(f"#!/bin/sh\ncat {tmp_path}/answer\necho no route to osv.dev >&2\nexit {status}\n")
        program.chmod(0o755)

    return make


def found() -> list[audit.Finding]:
    return list(audit.findings(json.loads(ANSWER)))


def test_a_weakness_counts_once_with_the_fix_of_its_own_package_and_its_own_debian(
    scanner: Callable[[str, int], None],
) -> None:
    scanner(ANSWER, 1)
    assert [str(finding) for finding in audit.scanned("source")] == [
        "uv.lock: msgspec 0.22.0: TEST-1, fixed in 99",
        "/var/lib/dpkg/status: gcc-12 12.2.0-14: TEST-2, no fix yet",
    ]


@pytest.mark.parametrize("status", [127, 2])
def test_a_scanner_that_could_not_look_found_nothing_good(scanner: Callable[[str, int], None], status: int) -> None:
    """Without its database OSV-Scanner 2.5 prints an empty list and exits with 127."""
    scanner('{"results": []}', status)
    with pytest.raises(SetupError, match=rf"status {status}: no route to osv\.dev"):
        audit.scanned("source")


def test_what_has_a_fix_is_an_error_and_what_has_none_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(audit.VulnerableError, match=r"^1 known"):
        audit.judge(found())
    audit.judge([finding for finding in found() if not finding.fixed])
    assert "gcc-12 12.2.0-14: TEST-2, no fix yet\nNothing" in capsys.readouterr().err


def test_the_locks_and_what_the_image_stands_on_are_looked_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[str, ...]] = []

    def scanned(*what: str) -> list[audit.Finding]:
        asked.append(what)
        return []

    monkeypatch.setattr(audit, "scanned", scanned)
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    audit.audit()
    (source, image) = asked
    assert [Path(part).name for part in source] == ["source", "--lockfile", "uv.lock", "--lockfile", "go.mod"]
    assert image[:2] == ("image", "--archive")
    build, save = (tmp_path / "calls").read_text().splitlines()
    assert "--target base" in build
    assert str(image[2]) in save
    docker.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(SetupError, match="stage base of scoring/Dockerfile"):
        audit.audit()
