"""Progress and errors that the setup reports."""

from pathlib import Path

import pytest

from tools.setup.console import SetupError, run_reported


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.setup.console.SECONDS_BETWEEN_LINES", 0.05)

    with pytest.raises(SetupError, match="still running after 0 s"):
        run_reported(["sleep", "60"], "Waiting", folder=tmp_path, environment={}, timeout_seconds=0.1)
