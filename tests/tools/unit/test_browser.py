"""The browser of the tests: the machine's own, else a downloaded one; without either, a note and no error."""

from pathlib import Path

import pytest

from tools import browser
from tools.setup.console import SetupError


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a browser, which would download one into this folder."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv(browser.FOLDER, str(tmp_path / "browsers"))
    return tmp_path


def executable(path: Path) -> str:
    path.parent.mkdir(parents=True)
    path.touch(mode=0o755)
    return str(path)


@pytest.mark.parametrize("name", browser.NAMES)
def test_the_machine_s_own_browser_is_used(place: Path, name: str) -> None:
    assert browser.command() is None
    own = executable(place / "bin" / name)
    executable(place / "browsers" / "chromium-1" / "chrome-linux" / "chrome")
    assert browser.command() == own


@pytest.mark.parametrize("folder", ["chrome-linux", "chrome-linux64"])
def test_a_downloaded_browser_is_used(place: Path, folder: str) -> None:
    assert browser.command() != executable(place / "browsers" / "chromium-1187" / folder / "headless_shell")
    downloaded = executable(place / "browsers" / "chromium-1200" / folder / "chrome")
    assert browser.command() == downloaded


def test_it_is_downloaded_once_to_the_folder_where_it_is_looked_for(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def download(command: list[str], *_: object, environment: dict[str, str], **__: object) -> None:
        asked.append(command[1:])
        executable(Path(environment[browser.FOLDER], "chromium-1", "chrome-linux", "chrome"))

    monkeypatch.setattr(browser, "run_reported", download)
    browser.ensure_browser()
    browser.ensure_browser()
    assert asked == [["-m", "playwright", "install", "chromium"]]
    assert browser.command() == str(place / "browsers" / "chromium-1" / "chrome-linux" / "chrome")


@pytest.mark.usefixtures("place")
def test_a_download_that_fails_says_what_is_not_tested(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise SetupError("Downloading Chromium: no network")

    monkeypatch.setattr(browser, "run_reported", fail)
    browser.ensure_browser()
    said = capsys.readouterr().err
    assert "no network" in said
    assert "the service's page is not tested" in said
