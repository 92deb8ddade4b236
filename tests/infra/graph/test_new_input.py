"""The example in CONTRIBUTING of a step's new input: it applies, in three files, and the value reaches the step."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tools.paths import ROOT

PACKAGES = ("infra", "steps", "azure_clients", "tools", "training", "scoring", "features")
FOLLOW = """
from infra.graph import deploy
from infra.settings import Settings
from steps.kinds import Kind
from steps.local.catalogue import local_steps
from tests.infra.graph.recorder import run

recorder, _ = run(lambda: deploy(Settings(), "test"))
step, given = local_steps()[Kind.TRAINING_RUN], recorder.steps["training"].inputs
print(step.parse(given).note, *step.diff({**given, "note": "another"}, given).changed, sep=", ")
"""


@pytest.fixture(scope="module")
def example() -> str:
    """The change, as a patch."""
    (found,) = re.findall(r"```diff\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.DOTALL)
    return str(found)


def test_a_new_input_of_a_step_touches_three_files(example: str) -> None:
    assert len(re.findall(r"^\+\+\+ b/", example, flags=re.MULTILINE)) == 3


def test_it_reaches_the_step_and_counts_as_a_change(example: str, tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tests" / "infra" / "graph").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "infra" / "graph" / "recorder.py", tmp_path / "tests" / "infra" / "graph")
    shutil.copy(ROOT / "uv.lock", tmp_path)
    # Outside any checkout, git applies a patch to plain files.
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent), "PYTHONPATH": str(tmp_path)}
    done("git", "apply", "-", given=example, folder=tmp_path, environment=environment)
    followed = done(sys.executable, "-c", FOLLOW, folder=tmp_path, environment=environment)
    assert followed == "for stack test, note\n"


def done(*command: str, folder: Path, environment: Mapping[str, str], given: str = "") -> str:
    """What a command prints; it must succeed."""
    found = subprocess.run(
        command, input=given, cwd=folder, env=environment, text=True, capture_output=True, check=False
    )
    assert found.returncode == 0, found.stderr
    return found.stdout
