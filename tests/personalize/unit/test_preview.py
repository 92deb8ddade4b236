"""`preview`: what it reads, and that it writes nothing."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from personalize.engine.outcome import Outcome
from personalize.stack.known_data import listed_before
from personalize.stack.operations import Operations
from personalize.stack.session import StackSession
from personalize.stack.state_store import state_file
from training.parameters import CriteoDataset, FilmsDataset


@pytest.mark.parametrize("refresh", [True, False])
def test_a_look_at_what_is_really_there_is_let_into_databricks_first(
    monkeypatch: pytest.MonkeyPatch, *, refresh: bool
) -> None:
    seen: list[Any] = []
    session = StackSession("dev")
    monkeypatch.setattr(session, "prepare", lambda: None)
    session.__dict__["_state"] = SimpleNamespace(exists=lambda: True, snapshot=lambda: {"resources": []})
    session.__dict__["_azure"] = SimpleNamespace(
        require_running=lambda _: None,
        refuse_to_change_system_nodes=lambda _: None,
        enter=lambda _: seen.append("entered"),
    )
    session.__dict__["_engine"] = SimpleNamespace(preview=lambda *_, **given: seen.append(given["refresh"]))
    session.preview(lambda _: None, refresh=refresh)
    assert seen == (["entered", True] if refresh else [False])


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
