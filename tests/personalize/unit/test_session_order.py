"""In which order a session calls its state, the engine and Azure, with stand-ins that keep their calls."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from features.errors import PersonalizationError
from personalize.engine.outcome import Outcome
from personalize.errors import ResourcesLeftError
from personalize.stack.session import StackSession
from tools.paths import ROOT

OLD = {"resources": [{"type": "old"}], "pending_operations": [{"type": "creating"}]}
NEW: dict[str, Any] = {"resources": []}


class RefusedError(PersonalizationError):
    """What a stand-in raises."""


class Recorder:
    """Keeps every call, and answers as the test says."""

    def __init__(self, name: str, calls: list[str], **answers: Any) -> None:
        self._name, self._calls, self._answers = name, calls, answers

    def __getattr__(self, what: str) -> Any:
        if what == "settings":
            return self._answers.get(what)

        def call(*arguments: Any, **named: Any) -> Any:
            self._calls.append(f"{self._name} {what}")
            found = self._answers.get(what)
            return found(*arguments, **named) if callable(found) else found

        return call


@pytest.fixture
def session_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[StackSession, list[str]]]:
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path / "state"))
    file = shutil.copy(ROOT / "Pulumi.local.yaml", tmp_path / "Pulumi.local.yaml")

    def made(
        *,
        state: Mapping[str, Any] | None = None,
        azure: Mapping[str, Any] | None = None,
        engine: Mapping[str, Any] | None = None,
    ) -> tuple[StackSession, list[str]]:
        calls: list[str] = []
        session = StackSession(settings_file=Path(file))
        done = Outcome(changes={}, steps={}, seconds=0.0, outputs={}, secret=frozenset(), resources=())
        answers = {"up": done, "destroy": done, "preview": done, "settle": "settled"} | dict(engine or {})
        found = {"exists": True, "snapshot": NEW} | dict(state or {})
        session.__dict__ |= {
            "_state": Recorder("state", calls, **found),
            "_engine": Recorder("engine", calls, **answers),
            "_azure": Recorder("azure", calls, **dict(azure or {})),
            "_command": lambda *_: calls.append("refresh"),
        }
        return session, calls

    return made


Make = Callable[..., tuple[StackSession, list[str]]]


def refuse(*_: object, **__: object) -> None:
    raise RefusedError("no")


def test_locks_and_the_encryption_are_looked_at_before_anything_is_read(session_of: Make) -> None:
    session, calls = session_of()
    session.up(lambda _: None)
    assert calls[:4] == ["state exists", "state check", "state clear_locks", "engine require_port"]
    assert calls.index("state clear_locks") < calls.index("state snapshot") < calls.index("engine up")


@pytest.mark.parametrize(
    ("part", "refuses"),
    [
        ("state", "clear_locks"),
        ("engine", "require_port"),
        ("azure", "refuse_to_replace_data"),
        ("azure", "require_running"),
        ("azure", "refuse_to_change_network"),
        ("azure", "refuse_to_change_system_nodes"),
    ],
)
def test_what_refuses_ends_the_update_before_the_engine_starts(session_of: Make, part: str, refuses: str) -> None:
    answers: dict[str, dict[str, Any]] = {"state": {"snapshot": OLD}, "engine": {}, "azure": {}}
    answers[part][refuses] = refuse
    session, calls = session_of(**answers)
    with pytest.raises(RefusedError):
        session.up(lambda _: None)
    assert not {"engine up", "engine settle", "azure enter"} & set(calls)


def test_a_paused_stack_is_destroyed_without_a_question(session_of: Make) -> None:
    session, calls = session_of(azure={"require_running": refuse})
    session.destroy(lambda _: None)
    assert "engine destroy" in calls


@pytest.mark.parametrize("guard", ["require_running", "refuse_to_change_system_nodes"])
def test_a_plan_that_aks_refuses_ends_a_preview_before_the_engine_starts(session_of: Make, guard: str) -> None:
    session, calls = session_of(azure={guard: refuse})
    with pytest.raises(RefusedError):
        session.preview(lambda _: None)
    assert "engine preview" not in calls


def test_what_a_killed_engine_left_is_settled_first(session_of: Make) -> None:
    session, calls = session_of(state={"snapshot": OLD})
    session.up(lambda _: None)
    assert calls.index("azure enter") < calls.index("engine settle") < calls.index("engine up")


def test_a_stack_that_was_deleted_for_a_move_is_read_again(session_of: Make) -> None:
    snapshots = iter([OLD, NEW, NEW])
    session, calls = session_of(state={"snapshot": lambda: next(snapshots)}, azure={"begins_anew": True})
    session.up(lambda _: None, replace_data=True)
    assert calls.count("engine settle") == 1, "what the old state left open is gone with it"
    assert calls.index("engine destroy") < calls.index("azure refuse_to_change_network") < calls.index("engine up")


def test_only_the_named_steps_and_what_belongs_to_them_are_updated(session_of: Make) -> None:
    given: dict[str, Any] = {}
    done = Outcome(changes={}, steps={}, seconds=0.0, outputs={}, secret=frozenset(), resources=())
    session, _ = session_of(engine={"up": lambda _, **named: given.update(named) or done})
    session.up(lambda _: None, only=("ScoringService",))
    start = "urn:pulumi:local::personalization::**:ScoringService"
    assert given["targets"] == [f"{start}::**", f"{start}$**"]


def test_after_a_refresh_on_azure_pools_that_are_shown_twice_are_forgotten(session_of: Make) -> None:
    session, calls = session_of(azure={"settings": object()})
    session.up(lambda _: None, refresh=True)
    assert calls.index("refresh") < calls.index("engine forget_shown_pools") < calls.index("engine up")


def test_a_stack_is_forgotten_after_its_resources_and_its_files_last(session_of: Make) -> None:
    session, calls = session_of()
    session.destroy(lambda _: None)
    assert calls.index("engine destroy") < calls.index("azure renew_suffix") < calls.index("state forget")
    assert not session.files.folder.exists()


def test_a_stack_whose_destruction_fails_keeps_its_state(session_of: Make) -> None:
    session, calls = session_of(engine={"destroy": refuse})
    with pytest.raises(RefusedError):
        session.destroy(lambda _: None)
    assert "state forget" not in calls
    assert session.files.folder.exists()


LEFT = {"resources": [{"type": "one"}, {"type": "two"}]}


def test_a_stack_with_resources_in_its_state_keeps_state_folder_and_suffix(session_of: Make) -> None:
    session, calls = session_of(state={"snapshot": LEFT})
    with pytest.raises(ResourcesLeftError, match="2 resources of stack local are still in"):
        session.destroy(lambda _: None)
    assert not {"azure renew_suffix", "state forget"} & set(calls)
    assert session.files.folder.exists()


def test_data_is_not_replaced_while_resources_are_in_the_state(session_of: Make) -> None:
    session, calls = session_of(state={"snapshot": LEFT}, azure={"begins_anew": True})
    with pytest.raises(ResourcesLeftError):
        session.up(lambda _: None, replace_data=True)
    assert "engine up" not in calls
