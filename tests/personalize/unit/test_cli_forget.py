"""`forget`: what it says about what is left, and what it refuses."""

import json
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from azure_clients.model_versions import Version
from features.bundle import SCHEMA
from features.errors import BadInputError
from features.schema import Schema
from features.values import AS_WRITTEN, KeyRule
from personalize.commands import data as command
from personalize.commands.data import forget
from recommend import histories
from recommend.forgotten import Forgotten
from recommend.histories import UserRow
from steps.folders import StackFolder
from tests.support.bundles import made_metadata
from tests.support.recommenders import write_snapshots
from tests.support.versions import version
from training.parameters import TablesDataset

FORMER, SERVING = 3, 4


def serving(monkeypatch: pytest.MonkeyPatch, number: int, rule: KeyRule = AS_WRITTEN, named: str = "") -> None:
    """Let this one of the two versions serve, with this rule of users' keys; the former has a segment of `named`."""
    listed = [version(one, champion=one == number) for one in (FORMER, SERVING)]
    schema = Schema(numeric=("age",), categorical=(), keys={} if rule == AS_WRITTEN else {"users": rule})

    def read(versions: list[Version], name: str) -> list[bytes | None]:
        if name == SCHEMA:
            return [schema.to_json() for one in versions if one.champion]
        segments = ([{"column": "user_id", "value": named if one.number == FORMER else None}] for one in versions)
        whole = [msgspec.json.encode(made_metadata(slices=one)) for one in segments]
        return [*whole[:1], *(content[:100] for content in whole[1:])]

    monkeypatch.setattr(command, "versions_of", lambda *_: SimpleNamespace(list=lambda: listed, read=read))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackFolder:
    """The folder of stack `local`, with histories for two versions; only the former knows `old`."""
    serving(monkeypatch, SERVING)
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path))
    found = StackFolder(tmp_path / "local")
    for number in (FORMER, SERVING):
        write_snapshots(found.snapshots_of(version(number).bundle_hash))
    users = [UserRow(key, b"", {}) for key in ("17", "old", "u1")]
    histories.write(found.snapshots_of(version(FORMER).bundle_hash) / histories.FILE, ["b"], users, "user_id")
    return found


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_it_says_which_files_still_have_a_user_and_until_when(
    folder: StackFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    forget("u1")
    told = said(capsys)
    assert told.startswith("u1 is forgotten: within a minute the service answers as for an unknown user")
    assert "The stored histories of model version 3 and 4 may still have them, until two newer" in told
    forget("old")
    assert "of model version 3 may still have them" in said(capsys)
    forget("never")
    assert "No stored histories have a user of this ID; check it, unless they are new." in said(capsys)
    assert all(user in Forgotten.load(folder.forgotten) for user in ("u1", "old", "never"))


@pytest.mark.usefixtures("folder")
def test_undoing_says_whether_a_user_is_known_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    for user in ("u1", "old"):
        forget(user)
    capsys.readouterr()
    forget("u1", undo=True)
    assert said(capsys).startswith("The service knows u1 again within a minute, from the histories of model version 4,")
    forget("old", undo=True)
    assert said(capsys).startswith("old comes back with the next training, which reads their rows again.")
    with pytest.raises(BadInputError, match="old was not forgotten"):
        forget("old", undo=True)


def test_undoing_after_a_rollback_names_the_newer_version_that_still_has_a_user(
    folder: StackFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    serving(monkeypatch, FORMER)
    newer = folder.snapshots_of(version(SERVING).bundle_hash) / histories.FILE
    histories.write(newer, ["b"], [UserRow("new", b"", {})], "user_id")
    for user in ("u1", "new"):
        forget(user)
    capsys.readouterr()
    forget("u1", undo=True)
    assert "from the histories of model version 3, which serves." in said(capsys)
    forget("new", undo=True)
    told = said(capsys)
    assert told.startswith("new comes back with the next training, which reads their rows again.")
    assert "`.venv/bin/personalize serve 4 --stack local` brings them back sooner" in told


def test_a_key_is_forgotten_as_the_served_model_compares_keys(
    folder: StackFolder, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the first model it is as the dataset config says, which may have changed since."""
    config = "{interactions: orders.csv, users: {key: user, keys: {%s: true}}, items: {key: sku}, label: positives}"
    dataset = TablesDataset(kind="tables", spec=tmp_path / "dataset.yaml")
    monkeypatch.setattr(command, "settings_of", lambda _: SimpleNamespace(dataset=dataset))
    (tmp_path / "dataset.yaml").write_text(config % "strip")
    serving(monkeypatch, SERVING, KeyRule(lowercase=True))
    forget("OLD", as_json=True)
    assert json.loads(capsys.readouterr().out)["versions"] == [FORMER]
    assert "Old" in Forgotten.load(folder.forgotten)
    forget("Old", undo=True)
    (tmp_path / "dataset.yaml").write_text(config % "lowercase")
    serving(monkeypatch, 0)
    forget("OLD")
    assert "Old" in Forgotten.load(folder.forgotten)


@pytest.mark.usefixtures("folder")
def test_what_an_earlier_release_wrote_about_a_user_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for named, user, is_named in [("17", "17.0", True), ("17", "1", False), ("u" * 40, "u" * 50, True)]:
        serving(monkeypatch, SERVING, named=named)
        forget(user)
        assert ("Report and metadata.json of model version 3, which an earlier" in said(capsys)) is is_named, user


@pytest.mark.usefixtures("folder")
def test_the_same_key_is_forgotten_however_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    forget("17.0", as_json=True)
    wanted = {"user": "17.0", "forgotten": True, "versions": [FORMER], "named_by": []}
    assert json.loads(capsys.readouterr().out) == wanted
    forget("17", undo=True, as_json=True)
    assert json.loads(capsys.readouterr().out) == wanted | {"user": "17", "forgotten": False, "at_once": False}
