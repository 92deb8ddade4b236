"""How npm's packages get into the cache that all checkouts of a machine share."""

import threading
from pathlib import Path
from typing import Any

import pytest

from tools import npm

LONG_ENOUGH_SECONDS = 0.3
"""For a second set-up to begin, if it doesn't wait."""


def test_of_two_set_ups_one_installs_and_the_other_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npm, "ROOT", tmp_path)
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(npm, "_npm", lambda: ["npm"])
    (tmp_path / "tools" / "demo").mkdir(parents=True)
    (tmp_path / "tools" / "demo" / "package-lock.json").write_text("{}")
    second = threading.Thread(target=npm.install, args=("demo", "Installing"))
    installed: list[Path] = []

    def run(*_command: object, folder: Path, **_options: Any) -> None:
        installed.append(folder)
        if len(installed) == 1:
            second.start()
            second.join(LONG_ENOUGH_SECONDS)
            assert second.is_alive()

    monkeypatch.setattr(npm, "run_reported", run)
    npm.install("demo", "Installing")
    second.join()
    assert len(installed) == 1
    assert (npm.folder("demo") / "package-lock.json").read_text() == "{}"
