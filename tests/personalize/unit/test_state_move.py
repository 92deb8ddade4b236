"""A stack's state on its way from a machine into the subscription, and one that is somewhere else."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from azure_clients import credentials
from personalize.errors import EngineForbiddenError
from personalize.stack import state_store
from personalize.stack.stack_files import StackFiles
from personalize.stack.state_move import (
    StateElsewhereError,
    move_state,
    refuse_state_elsewhere,
)
from personalize.stack.state_store import state_file
from tests.personalize.unit.test_state_store import AZURE

RESOURCES = [{"type": "pulumi:pulumi:Stack"}, {"type": "personalize:azure:Champion"}]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackFiles:
    """A stack with its state on this machine."""
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path / "state"))
    source = tmp_path / "Pulumi.dev.yaml"
    source.write_text("config: {}\n")
    found = StackFiles("dev", source)
    found.create_folders()
    found.create_passphrase()
    state_file(found).parent.mkdir(parents=True)
    state_file(found).write_text(json.dumps({"checkpoint": {"latest": {"resources": RESOURCES}}}))
    return found


class NewRoles:
    """The Pulumi CLI in front of an empty backend, which refuses each kind of call once: its roles are new."""

    def __init__(self) -> None:
        self.refused: list[str] = []
        self.moved = False

    def __call__(self, arguments: Sequence[str], folder: Path | None = None, **_: str) -> str:
        if arguments[1] not in self.refused:
            self.refused.append(arguments[1])
            raise EngineForbiddenError("403 AuthorizationPermissionMismatch")
        if arguments[1] == "migrate":
            assert folder is not None
            (folder / "Pulumi.dev.yaml").write_text(
                "secretsprovider: azurekeyvault://vault/keys/key\nencryptedkey: x\n"
            )
            self.moved = True
        return json.dumps({"deployment": {"resources": RESOURCES}})

    def has(self, *_: object) -> bool:
        """Whether the container has the stack's file."""
        if "look" not in self.refused:
            self.refused.append("look")
            raise EngineForbiddenError("403 AuthorizationPermissionMismatch")
        return self.moved


def test_every_step_of_a_move_waits_for_the_roles_that_bootstrap_has_just_given(
    files: StackFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_store, "ROLE_PAUSE_SECONDS", 0.0)
    backend, said = NewRoles(), list[str]()
    monkeypatch.setattr("personalize.stack.state_lookup.is_there", backend.has)
    assert move_state(files, AZURE, backend, said.append) == len(RESOURCES)
    assert backend.refused == ["look", "migrate", "export"]
    assert [line for line in said if "is not effective yet" in line] == said
    assert len(said) == len(backend.refused)


def test_a_lake_in_a_group_that_the_settings_name_is_found(files: StackFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def get(path: str, _: str) -> dict[str, str]:
        asked.append(path)
        return {}

    monkeypatch.setattr(credentials, "resource_manager", lambda _: SimpleNamespace(get=get))
    given = AZURE.model_copy(update={"training_group": "rg-given"})
    with pytest.raises(StateElsewhereError):
        refuse_state_elsewhere(files, given)
    assert [path.split("/")[4] for path in asked] == ["rg-given"]
