"""`catalogue load` as a process that is killed: the old or the new catalogue is there, and the next load works."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from personalize.commands.app import app
from recommend import catalogue
from recommend.catalogue import State
from steps.folders import StackFolder
from steps.registry_here import LocalRegistry
from tests.support.recommenders import make_recommending_bundle, recommender
from tools.paths import ROOT

KILLED = """
import os, signal, sys

event, count = sys.argv.pop(1), int(sys.argv.pop(1))

def watch(name, arguments):
    global count
    concerns = name == "fcntl.flock" or any(".sqlite" in str(one) for one in arguments)
    if name == event and concerns:
        count -= 1
        if count == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
from recommend.stored import Writer

if event == "row":
    seen = Writer.seen
    Writer.seen = lambda *parts: (watch("row", [".sqlite"]), seen(*parts))
from personalize.commands.app import main

main()
"""
OLD = {"i1": State.LOADED, "i2": State.LOADED}
NEW = {"i2": State.LOADED, "i3": State.LOADED, "i1": State.WITHDRAWN}
pytestmark = pytest.mark.slow


def command(folder: Path, *items: str) -> list[str]:
    """The command that loads a catalogue of these items."""
    file = folder / "items.csv"
    file.write_text("item_id,genre,minutes,critics_score\n" + "".join(f"{item},crime,90,3\n" for item in items))
    return ["catalogue", "load", str(file)]


def load(folder: Path, *items: str) -> None:
    assert CliRunner().invoke(app, command(folder, *items), catch_exceptions=False).exit_code == 0


def killed(event: str, at: int, folder: Path, *items: str) -> int:
    """The exit status of a process that loads these items, killed at such an event of Python's, or at such a row that
    it writes.
    """
    process = [sys.executable, "-c", KILLED, event, str(at), *command(folder, *items)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(process, env=environment, check=False, capture_output=True).returncode


@pytest.mark.parametrize(
    ("kill", "at", "left"),
    [
        ("fcntl.flock", 1, OLD),  # before it has the lock
        ("sqlite3.connect", 2, OLD),  # the former catalogue is read, and the new file is empty
        ("row", 3, OLD),  # in the middle of the rows: the first part is the layout
        ("os.rename", 1, OLD),  # the new file is complete, and not in its place
        ("os.rename", 2, OLD),  # those of all versions are complete
        ("os.remove", 2, NEW),  # it is in its place
    ],
)
def test_a_load_that_is_killed_leaves_one_of_both_and_the_next_one_works(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    empty_registry: Path,
    *,
    kill: str,
    at: int,
    left: dict[str, State],
) -> None:
    tables = {"kind": "tables", "spec": str(ROOT / "examples" / "tables" / "dataset.yaml")}
    settings = {"personalization:target": "local", "personalization:dataset": tables}
    (tmp_path / "stack.yaml").write_text(yaml.safe_dump({"config": settings}))
    folder = StackFolder(tmp_path / "state" / "local")
    shutil.copytree(empty_registry, folder.registry)
    registry = LocalRegistry(folder.registry)
    serving = registry.register(make_recommending_bundle(tmp_path / "bundle", recommender()))
    registry.set_champion(serving.number)
    target = folder.snapshots_of(serving.bundle_hash) / catalogue.FILE

    def states() -> dict[str, State]:
        return {row.key: row.state for row in catalogue.read_rows(target)[0]}

    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("PERSONALIZE_CONFIG_FILE", str(tmp_path / "stack.yaml"))
    load(tmp_path, "i1", "i2")
    before = target.read_bytes()
    assert states() == OLD
    assert killed(kill, at, tmp_path, "i2", "i3") == -signal.SIGKILL
    assert states() == left
    assert (target.read_bytes() == before) is (left is OLD)
    load(tmp_path, "i2", "i3")
    assert states() == NEW
    assert {file.name for file in target.parent.iterdir()} == {catalogue.FILE}
    refused = CliRunner().invoke(app, command(tmp_path, "i4", "i5", "i6"))
    assert "items.csv would withdraw 2 of 2 items, so nothing was changed." in str(refused.exception)
    assert states() == NEW
    assert CliRunner().invoke(app, [*command(tmp_path, "i4"), "--yes"]).exit_code == 0
    assert states() == {"i4": State.LOADED, **dict.fromkeys(("i1", "i2", "i3"), State.WITHDRAWN)}


def test_there_is_no_catalogue_to_load_before_a_model_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_registry: Path
) -> None:
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path / "state"))
    folder = StackFolder(tmp_path / "state" / "local")
    for said in ("has no models yet", "serves no model yet"):
        refused = CliRunner().invoke(app, command(tmp_path, "i1"))
        assert said in str(refused.exception)
        assert not folder.snapshots.exists()
        shutil.copytree(empty_registry, folder.registry, dirs_exist_ok=True)
