"""What is typed reaches what does the work: each option of a command, and the way back if it fails."""

import shutil
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from filelock import FileLock
from typer.testing import CliRunner, Result

from features.errors import BadInputError
from personalize.commands import lifecycle, models
from personalize.commands.app import app
from personalize.errors import AnotherServesError, StackBusyError
from personalize.stack.events import Outcome
from personalize.stack.session import StackSession
from recommend import histories
from steps.folders import StackFolder
from tests.support.recommenders import write_snapshots
from tests.support.versions import version
from tools.paths import ROOT

DONE = Outcome(changes={}, steps={}, seconds=0.0, outputs={}, secret=frozenset(), resources=())


class Session(StackSession):
    """A stack that is up; keeps how it was called."""

    def __init__(self, file: Path) -> None:
        super().__init__("local", file)
        self.files.create_folders()
        self.given: dict[str, Any] = {}
        self.refuses = False

    def require(self) -> None:
        """It is up."""

    def exists(self) -> bool:
        """It is up."""
        return True

    def up(self, *_: Any, **given: Any) -> Outcome:
        self.given = given | {"overrides": self.files.read_overrides()}
        if self.refuses:
            raise BadInputError("the engine refused")
        return DONE

    preview = up


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path / "state"))
    made = Session(Path(shutil.copy(ROOT / "Pulumi.local.yaml", tmp_path / "Pulumi.local.yaml")))
    for module in (lifecycle, models):
        monkeypatch.setattr(module, "StackSession", lambda *_: made)
    monkeypatch.setattr(models, "require_version", lambda *_: version(3))
    return made


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize(
    ("command", "option"),
    [("up", "refresh"), ("preview", "refresh"), ("preview", "known_data")],
)
def test_an_option_is_the_sessions(session: Session, command: str, option: str) -> None:
    typed(command, "--json")
    assert session.given[option] is False
    typed(command, f"--{option.replace('_', '-')}", "--json")
    assert session.given[option] is True


def test_serving_a_version_runs_no_step_before_it(session: Session) -> None:
    typed("serve", "3", "--json")
    assert session.given["only"] == ("ModelVersion", "ServingImage", "ApiKey", "ScoringService")
    assert session.given["overrides"] == {"personalization:model_version": 3}
    typed("serve", "latest", "--json")
    assert session.files.read_overrides() == {}, "what the stack file says needs no override"


def test_a_version_that_cannot_be_served_leaves_the_choice_as_it_was(session: Session) -> None:
    session.files.write_overrides({"personalization:model_version": 2, "other": 1})
    session.refuses = True
    assert isinstance(typed("serve", "3").exception, BadInputError)
    assert session.given["overrides"]["personalization:model_version"] == 3
    assert session.files.read_overrides() == {"personalization:model_version": 2, "other": 1}


def test_a_second_serve_at_once_is_refused_and_changes_no_choice(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("personalize.stack.session.LOCK_SECONDS", 0.0)
    session.files.write_overrides({"personalization:model_version": 2})
    with FileLock(session.files.lock):
        assert isinstance(typed("serve", "3").exception, StackBusyError)
    assert session.files.read_overrides() == {"personalization:model_version": 2}
    assert typed("serve", "3", "--json").exit_code == 0


def test_a_version_that_serves_stays_chosen_though_nobody_reads_the_result(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "show_summary", Mock(side_effect=BrokenPipeError))
    assert isinstance(typed("serve", "3").exception, BrokenPipeError)
    assert session.files.read_overrides() == {"personalization:model_version": 3}


def test_another_version_than_the_rejected_candidate_stays_chosen(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.files.write_overrides({"personalization:model_version": 1})

    def refused(*_: object, **__: object) -> None:
        raise AnotherServesError("The gate rejected model version 3. Version 2 serves.")

    monkeypatch.setattr(session, "up", refused)
    assert isinstance(typed("serve", "latest").exception, AnotherServesError)
    assert session.files.read_overrides() == {}, "as version 2 serves, which is the latest that may"


@pytest.mark.parametrize(("kept", "said"), [(True, "newer ones are unknown"), (False, "every user is unknown")])
def test_who_is_known_to_an_older_version_is_said_before_it_serves(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, kept: bool, said: str
) -> None:
    old = version(3, metrics={"recommender": {}})
    monkeypatch.setattr(models, "require_version", lambda *_: old)
    own = StackFolder(tmp_path / "state" / "local").snapshots_of(old.bundle_hash)
    if kept:
        write_snapshots(own)
    else:
        histories.write_empty(own / histories.FILE)
    session.refuses = True
    assert said in " ".join(typed("serve", "3").output.split())


def test_a_version_that_is_not_there_is_found_before_anything_changes(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise BadInputError("no such version")

    monkeypatch.setattr(models, "require_version", missing)
    assert isinstance(typed("serve", "9").exception, BadInputError)
    assert session.given == {}
    assert session.files.read_overrides() == {}
