"""A session: its outputs, what a preview reads and writes, and the order in which it calls state, engine and Azure."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from features.errors import PersonalizationError
from personalize.errors import StackBusyError, StackMissingError
from personalize.stack import session as sessions
from personalize.stack.events import Outcome
from personalize.stack.operations import Operations, listed_before
from personalize.stack.session import StackSession
from personalize.stack.state_store import state_file
from tools.paths import ROOT
from training.parameters import CriteoDataset, FilmsDataset

OLD = {"resources": [{"type": "old"}], "pending_operations": [{"type": "creating"}]}
NEW: dict[str, Any] = {"resources": []}
DONE = Outcome(changes={}, steps={}, seconds=0.0, outputs={}, secret=frozenset(), resources=())


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
        answers = {"up": DONE, "destroy": DONE, "preview": DONE, "settle": "settled"} | dict(engine or {})
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


ORDERS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "locks and encryption before anything is read": (
        {},
        {},
        ["state check", "state clear_locks", "engine require_port", "state snapshot", "engine up"],
    ),
    "what a killed engine left before the update": (
        {"state": {"snapshot": OLD}},
        {},
        ["azure enter", "engine settle", "engine up"],
    ),
    "pools that are shown twice, after a refresh on Azure": (
        {"azure": {"settings": object()}},
        {"refresh": True},
        ["refresh", "engine forget_shown_pools", "engine up"],
    ),
}


@pytest.mark.parametrize("what", ORDERS)
def test_an_update_looks_first_at_what_could_go_wrong(session_of: Make, what: str) -> None:
    answers, options, order = ORDERS[what]
    session, calls = session_of(**answers)
    session.up(lambda _: None, **options)
    assert [call for call in calls if call in order] == order


@pytest.mark.parametrize(
    ("part", "refuses"),
    [
        ("state", "clear_locks"),
        ("engine", "require_port"),
        ("azure", "refuse_update"),
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
    session, calls = session_of(azure={"refuse_update": refuse, "refuse_plan": refuse})
    session.destroy(lambda _: None)
    assert "engine destroy" in calls


def test_a_plan_that_aks_refuses_ends_a_preview_before_the_engine_starts(session_of: Make) -> None:
    session, calls = session_of(azure={"refuse_plan": refuse})
    with pytest.raises(RefusedError):
        session.preview(lambda _: None)
    assert "engine preview" not in calls


def test_only_the_named_steps_and_what_belongs_to_them_are_updated(session_of: Make) -> None:
    given: dict[str, Any] = {}
    session, _ = session_of(engine={"up": lambda _, **named: given.update(named) or DONE})
    session.up(lambda _: None, only=("ScoringService",))
    start = "urn:pulumi:local::personalization::**:ScoringService"
    assert given["targets"] == [f"{start}::**", f"{start}$**"]


def test_a_stack_is_forgotten_after_its_resources_and_its_files_last(session_of: Make) -> None:
    session, calls = session_of()
    session.destroy(lambda _: None)
    assert calls.index("engine destroy") < calls.index("azure renew_suffix") < calls.index("state forget")
    assert not session.files.folder.exists()


@pytest.mark.parametrize("goes", ["up", "destroy"])
@pytest.mark.parametrize("comes", ["up", "destroy", "preview"])
def test_no_other_command_begins_before_an_update_or_a_deletion_has_ended(
    session_of: Make, monkeypatch: pytest.MonkeyPatch, goes: str, comes: str
) -> None:
    monkeypatch.setattr(sessions, "LOCK_SECONDS", 0.0)
    other, calls = session_of()
    refused: list[str] = []

    def in_its_last_moment(*_: object, **__: object) -> Outcome:
        with pytest.raises(StackBusyError, match="is being changed by another command") as caught:
            getattr(other, comes)(lambda _: None)
        refused.append(str(caught.value))
        return DONE

    state = {"forget": in_its_last_moment} if goes == "destroy" else {}
    session, _ = session_of(state=state, engine={"up": in_its_last_moment} if goes == "up" else {})
    getattr(session, goes)(lambda _: None)
    assert len(refused) == 1
    assert not [call for call in calls if call.startswith("engine")]
    assert session.files.folder.exists() is (goes == "up")
    assert session.files.lock.exists() is (goes == "up")


LEFT = {"resources": [{"type": "one"}, {"type": "two"}]}


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"engine": {"destroy": refuse}}, "no"),
        ({"state": {"snapshot": LEFT}}, "2 resources of stack local are still in"),
    ],
)
def test_a_stack_that_is_not_wholly_destroyed_keeps_state_folder_and_suffix(
    session_of: Make, answers: dict[str, Any], said: str
) -> None:
    session, calls = session_of(**answers)
    with pytest.raises(PersonalizationError, match=said):
        session.destroy(lambda _: None)
    assert not {"azure renew_suffix", "state forget"} & set(calls)
    assert session.files.folder.exists()


ENCRYPTED = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:x"}
STATED = {"endpoint": "http://127.0.0.1:1", "metrics": {"auc": 0.5}, "report": "registry/report.html"}
ENGINE = """#!/bin/sh
echo "$@" >> {calls}
echo '{{"endpoint": "http://127.0.0.1:1", "key": "the-engine-s", "token": "another"}}'
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a deployed stack, with a stand-in for the engine that records its calls."""
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path))
    engine = tmp_path / "pulumi"
    engine.write_text(ENGINE.format(calls=tmp_path / "calls"))
    engine.chmod(0o700)
    monkeypatch.setattr(sessions, "pulumi_command", lambda: engine)
    made = StackSession().files.folder
    (made / "service").mkdir(parents=True)
    (made / "passphrase").write_text("secret")
    return made


def state(folder: Path, **outputs: object) -> None:
    """Write the stack's state."""
    stack = {"type": "pulumi:pulumi:Stack", "outputs": STATED | outputs}
    file = folder / "state" / ".pulumi" / "stacks" / "personalization" / "local.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"checkpoint": {"latest": {"resources": [stack]}}}))


def test_the_key_is_the_one_that_the_service_of_this_machine_reads(folder: Path) -> None:
    state(folder, key=ENCRYPTED)
    (folder / "service" / "keys").write_text("the-service-s\nthe-one-before\n")
    found, secret = StackSession().outputs()
    assert found == STATED | {"key": "the-service-s", "report": str(folder / "registry/report.html")}
    assert secret == {"key"}
    assert not (folder.parent / "calls").exists()


@pytest.mark.parametrize(
    ("keys", "stated"),
    [(None, {"key": ENCRYPTED}), ("", {"key": ENCRYPTED}), ("a\n", {"key": ENCRYPTED, "token": ENCRYPTED})],
    ids=["no file", "an empty file", "another secret"],
)
def test_secrets_that_no_file_has_are_asked_of_the_engine(
    folder: Path, keys: str | None, stated: dict[str, object]
) -> None:
    state(folder, **stated)
    if keys is not None:
        (folder / "service" / "keys").write_text(keys)
    found, secret = StackSession().outputs()
    told = {"key": "the-engine-s", "token": "another"}
    assert {name: found[name] for name in secret} == {name: told[name] for name in stated}
    assert found["metrics"] == {"auc": 0.5}
    assert "--show-secrets" in (folder.parent / "calls").read_text()


@pytest.mark.usefixtures("folder")
def test_a_stack_that_was_never_up_has_no_outputs() -> None:
    with pytest.raises(StackMissingError, match="not up"):
        StackSession().outputs()


@pytest.mark.parametrize("refresh", [True, False])
def test_a_plan_that_reads_resources_is_let_into_databricks_first(session_of: Make, *, refresh: bool) -> None:
    session, calls = session_of()
    session.preview(lambda _: None, refresh=refresh)
    assert calls[-2:] == ["azure enter" if refresh else "azure refuse_plan", "engine preview"]


@pytest.mark.parametrize("stack", ["local", "dev"])
def test_a_plan_of_a_stack_that_does_not_exist_leaves_no_state(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stack: str
) -> None:
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("personalize.stack.state_store.is_there", lambda *_: False)
    seen: list[tuple[str, str, bool]] = []

    def preview(engine: Operations, *_: object, refresh: bool, **__: object) -> Outcome:
        place = engine.variables()["PULUMI_BACKEND_URL"].removeprefix("file://").partition("?")[0]
        seen.append((engine.name, place, refresh))
        return PLANNED

    monkeypatch.setattr(StackSession, "_command", stack_init)
    monkeypatch.setattr(StackSession, "_pulumi", None)
    monkeypatch.setattr(Operations, "preview", preview)
    monkeypatch.setattr("personalize.stack.azure_side.databricks_sign_in", dict)
    assert StackSession(stack).preview(lambda _: None, refresh=True) is PLANNED
    ((name, place, refresh),) = seen
    assert (name, refresh) == (stack, False), "there is nothing to refresh"
    assert not Path(place).is_relative_to(tmp_path)
    assert not Path(place).exists(), "deleted with all that the plan needed"
    assert not (tmp_path / "state").exists()


def stack_init(session: StackSession, arguments: list[str], folder: Path) -> str:
    """Pulumi's CLI, which writes an empty state, and the encryption of secrets beside the project."""
    assert arguments[:2] == ["stack", "init"]
    (folder / f"Pulumi.{arguments[2]}.yaml").write_text("encryptionsalt: x\n")
    state_file(session.files).parent.mkdir(parents=True)
    state_file(session.files).write_text("{}")
    return ""


PLANNED = Outcome(changes={"create": 1}, steps={}, outputs={}, secret=frozenset(), seconds=1.0)
IN_CONTAINER = CriteoDataset(kind="criteo", path="abfss://events@shoplake.dfs.core.windows.net/clicks")
UPLOAD = {"type": "personalize:azure:DataUpload", "inputs": {"manifest_hash": "5" * 64, "versions": {"users": 3}}}


def test_only_data_in_containers_is_taken_as_the_last_update_listed_it() -> None:
    known = listed_before({"resources": [{"type": "pulumi:pulumi:Stack"}, UPLOAD]}, IN_CONTAINER)
    assert known is not None
    assert (known.hash, known.versions) == ("5" * 64, {"users": 3})
    new = listed_before({}, IN_CONTAINER)
    assert new is not None
    assert new.hash == "", "nothing was listed before the first update"
    assert listed_before({"resources": [UPLOAD]}, FilmsDataset(kind="films")) is None, "part of the pull request"
