"""`tune` starts a program of `training` with the stack's settings."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from personalize.commands import tune
from tools.paths import state_folder
from training.parameters import CriteoDataset
from training.request import TrainingRequest

SETTINGS = """\
config:
  personalization:dataset: {kind: criteo, path: /data/criteo, days: 3}
  personalization:training: {num_leaves: 63, driver_memory_gib: 2}
  personalization:gate: {max_drift: 0.25}
"""

FORGOTTEN = state_folder("local") / "snapshots" / "forgotten.json"
"""Users whose rows neither of them reads."""


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    (tmp_path / "mine.yaml").write_text(SETTINGS)
    return tmp_path / "mine.yaml"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Records the command that was started; its exit code is `code`."""
    seen: dict[str, Any] = {"code": 0}

    def run(command: list[str], *, check: bool) -> SimpleNamespace:
        assert not check
        seen["command"] = command
        if "--request" in command:
            seen["request"] = TrainingRequest.model_validate_json(
                Path(command[command.index("--request") + 1]).read_text()
            )
        return SimpleNamespace(returncode=seen["code"])

    monkeypatch.setattr(tune.subprocess, "run", run)
    return seen


def test_tune_searches_on_the_stacks_dataset_around_its_parameters(settings: Path, started: dict[str, Any]) -> None:
    tune.tune(trials=7, minutes=2.5, encodings=True, crosses=True, config_file=settings)
    command = started["command"]
    assert command[:4] == [sys.executable, "-P", "-m", "training.tune"]
    assert [*command[4:7], *command[8:]] == [
        "--trials",
        "7",
        "--request",
        "--minutes",
        "2.5",
        "--encodings",
        "--crosses",
    ]
    request = started["request"]
    assert request.dataset == CriteoDataset(kind="criteo", path="/data/criteo", days=3)
    assert (request.training.num_leaves, request.gate.max_drift) == (63, 0.25)
    assert request.forgotten == FORGOTTEN


def test_no_module_of_the_current_folder_is_run(settings: Path, started: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    for name in ("__init__", "tune"):
        (tmp_path / "training" / f"{name}.py").write_text("print('a stranger')\n")
    starts = []
    tune.tune(config_file=settings)
    starts.append(started["command"][:4])
    for start in starts:
        with subprocess.Popen([*start, "--help"], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
            shown, _ = process.communicate()
        assert "stranger" not in shown
        assert "usage" in shown.lower()
