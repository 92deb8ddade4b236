"""Where a stack's state is: in the subscription, shared with other machines, or in a folder with a lock."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from azure_clients.lake_files import AzureLake
from features.errors import PersonalizationError
from personalize.bootstrap.names import StateNames
from personalize.errors import (
    EngineFailedError,
    EngineForbiddenError,
    StackBusyError,
)
from personalize.stack import state_store
from personalize.stack.session import StackSession
from personalize.stack.stack_files import StackFiles
from personalize.stack.state_store import (
    PROJECT,
    MachineState,
    SubscriptionState,
    clear_stale,
    is_there,
    outputs_of,
    read_locks,
    read_snapshot,
)
from tests.support.azure_stack import SUBSCRIPTION, azure_stack
from tools.paths import state_folder
from training.datasets.placed.address import Address
from training.datasets.placed.listing import ForbiddenLakeError, UnreadableLakeError

AZURE = azure_stack()


class Backend:
    """The Pulumi CLI in front of a state that other machines change, too."""

    def __init__(self, *stacks: str) -> None:
        self.stacks = list(stacks)
        self.deployment: dict[str, Any] = {"resources": []}
        self.calls: list[list[str]] = []
        self.refuses = False

    def __call__(self, arguments: Sequence[str], *_: Path) -> str:
        self.calls.append(list(arguments))
        if arguments[:2] == ["stack", "export"]:
            return json.dumps({"version": 3, "deployment": self.deployment})
        if arguments[:2] == ["stack", "rm"]:
            self.stacks.remove(arguments[2])
        return ""

    def has(self, file: str) -> bool:
        """Whether the container has a file."""
        if self.refuses:
            raise EngineFailedError("403 AuthorizationPermissionMismatch")
        return file in {f".pulumi/stacks/{PROJECT}/{name}.json" for name in self.stacks}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackFiles:
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path / "state"))
    source = tmp_path / "Pulumi.dev.yaml"
    source.write_text(yaml.safe_dump({"config": {"personalization:dataset": {"kind": "films", "users": 1}}}))
    return StackFiles("dev", source)


@pytest.fixture
def shared(files: StackFiles) -> Callable[[Backend], SubscriptionState]:
    return lambda backend: SubscriptionState(files, AZURE, backend, backend.has)


def test_each_snapshot_is_what_the_state_holds_now(shared: Callable[[Backend], SubscriptionState]) -> None:
    backend = Backend("dev")
    state = shared(backend)
    assert state.snapshot() == {"resources": []}
    backend.deployment = {"resources": [{"type": "pulumi:pulumi:Stack"}]}
    assert state.snapshot() == backend.deployment


def test_a_stack_of_another_name_is_not_this_one(shared: Callable[[Backend], SubscriptionState]) -> None:
    assert not shared(Backend("dev2", "my-dev", "prod")).exists()
    assert shared(Backend("prod", "dev")).exists()


@pytest.mark.parametrize("found", [[], [".pulumi/stacks/personalization/dev.json"]])
def test_a_stack_is_looked_up_in_its_container_by_reading_alone(
    monkeypatch: pytest.MonkeyPatch, found: list[str]
) -> None:
    asked: list[Address] = []

    def files(_: object, address: Address) -> list[str]:
        asked.append(address)
        return found

    monkeypatch.setattr(AzureLake, "files", files)
    names = StateNames(subscription=SUBSCRIPTION, stack="dev")
    assert is_there(".pulumi/stacks/personalization/dev.json", "dev", AZURE) is bool(found)
    assert asked == [Address(names.account, "state-dev", ".pulumi/stacks/personalization/dev.json")]


@pytest.mark.parametrize(
    ("refusal", "wanted"),
    [(ForbiddenLakeError("no role"), EngineForbiddenError), (UnreadableLakeError("no account"), EngineFailedError)],
)
def test_only_a_missing_role_may_be_effective_later(
    monkeypatch: pytest.MonkeyPatch, refusal: Exception, wanted: type[Exception]
) -> None:
    def files(*_: object) -> list[str]:
        raise refusal

    monkeypatch.setattr(AzureLake, "files", files)
    with pytest.raises(wanted) as raised:
        is_there("a", "dev", AZURE)
    assert type(raised.value) is wanted


def test_a_forgotten_stack_does_not_exist(shared: Callable[[Backend], SubscriptionState]) -> None:
    backend = Backend("dev")
    state = shared(backend)
    assert state.exists()
    state.forget()
    assert not state.exists()


def test_the_encryption_is_that_of_the_state_whatever_this_machine_has(
    shared: Callable[[Backend], SubscriptionState], files: StackFiles
) -> None:
    files.create_folders()
    files.keep_encryption({"secretsprovider": "azurekeyvault://old", "encryptedkey": "old"})
    backend = Backend("dev")
    state = {"url": "azurekeyvault://new/keys/pulumi", "encryptedkey": "new"}
    backend.deployment = {"secrets_providers": {"type": "cloud", "state": state}}
    shared(backend).check()
    files.render()
    copy = yaml.safe_load(files.copy.read_text())
    assert (copy["secretsprovider"], copy["encryptedkey"]) == ("azurekeyvault://new/keys/pulumi", "new")


def test_every_call_waits_for_the_roles_that_bootstrap_has_just_given(
    files: StackFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_store, "ROLE_PAUSE_SECONDS", 0.0)
    backend, refused, said = Backend("dev"), list[str](), list[str]()

    def once(what: str) -> None:
        """Refuse each kind of call once: its role is new."""
        if what not in refused:
            refused.append(what)
            raise EngineForbiddenError("403 AuthorizationPermissionMismatch")

    def look(file: str, *_: object) -> bool:
        once("look")
        return backend.has(file)

    def run(arguments: list[str], *_: Path) -> str:
        once(arguments[1])
        return backend(arguments)

    monkeypatch.setattr(state_store, "is_there", look)
    state = state_store.state_store(files, AZURE, run, said.append)
    assert state.exists()
    assert state.snapshot() == {"resources": []}
    assert refused == ["look", "export"]
    assert len(said) == len([line for line in said if "is not effective yet" in line]) == len(refused)


def lock(files: StackFiles, pid: int, host: str) -> Path:
    file = files.state / ".pulumi" / "locks" / "organization" / PROJECT / "dev" / f"{pid}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    moment = datetime.now(UTC).isoformat()
    file.write_text(json.dumps({"pid": pid, "username": "ada", "hostname": host, "timestamp": moment}))
    return file


def test_a_lock_that_is_held_refuses_and_stays(files: StackFiles) -> None:
    held = lock(files, os.getpid(), socket.gethostname())
    with pytest.raises(StackBusyError, match=f"process {os.getpid()}.*kill -INT {os.getpid()}"):
        MachineState(files, Backend()).clear_locks(lambda _: None)
    assert held.is_file()


def test_a_lock_of_an_ended_process_is_removed_and_said(files: StackFiles) -> None:
    ended = lock(files, 2**22 + 1, socket.gethostname())  # above Linux's largest number of a process
    said: list[str] = []
    MachineState(files, Backend()).clear_locks(said.append)
    assert not ended.exists()
    assert len(said) == 1


def test_an_ended_lock_does_not_hide_one_that_is_held(files: StackFiles) -> None:
    lock(files, 2**22 + 1, socket.gethostname())
    lock(files, 7, "another-machine")
    with pytest.raises(StackBusyError, match="on another-machine"):
        MachineState(files, Backend()).clear_locks(lambda _: None)


def test_secret_outputs_are_named_and_not_shown() -> None:
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "x"}
    stack = {"type": "pulumi:pulumi:Stack", "outputs": {"endpoint": "http://x", "key": secret}}
    assert outputs_of({"resources": [{"type": "other", "outputs": {"no": 1}}, stack]}) == (
        {"endpoint": "http://x"},
        frozenset({"key"}),
    )


@pytest.mark.parametrize("content", ["", '{"version": 3, "checkpoint": {"latest"', "null"])
@pytest.mark.parametrize("kept", [True, False])
def test_a_damaged_state_names_the_copy_of_the_engine_if_there_is_one(
    tmp_path: Path, content: str, *, kept: bool
) -> None:
    file = tmp_path / "my state" / "local.json"
    file.parent.mkdir()
    file.write_text(content)
    copy = file.with_name("local.json.bak")
    if kept:
        copy.write_text(json.dumps({"checkpoint": {"latest": {"resources": [1, 2]}}}))
    with pytest.raises(PersonalizationError) as caught:
        read_snapshot(file)
    command = re.search("`(cp .*)`", str(caught.value))
    assert (command is not None) is kept
    if command:
        subprocess.run(shlex.split(command[1]), check=True)
        assert read_snapshot(file) == {"resources": [1, 2]}


def test_a_relative_folder_of_stacks_is_the_same_for_the_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PERSONALIZE_STATE", "my state")
    environment = StackSession().environment()
    assert environment["PULUMI_BACKEND_URL"] == f"{(tmp_path / 'my state/local/state').as_uri()}?metadata=skip"
    monkeypatch.setenv("PERSONALIZE_STATE", environment["PERSONALIZE_STATE"])
    monkeypatch.chdir("/")
    assert state_folder("local") == tmp_path / "my state" / "local"


def write_lock(state: Path, *, pid: int, host: str | None = None, since: datetime | None = None) -> Path:
    path = state / ".pulumi" / "locks" / "organization" / "personalization" / "local" / "id.json"
    path.parent.mkdir(parents=True)
    moment = (since or datetime.now(UTC)).isoformat()
    content = {"pid": pid, "username": "ada", "hostname": host or socket.gethostname(), "timestamp": moment}
    path.write_text(json.dumps(content))
    return path


def finished_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_lock_of_a_process_that_was_killed_and_that_nobody_waits_for_is_stale(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    write_lock(tmp_path, pid=process.pid)
    assert read_locks(tmp_path)[0].is_stale()
    process.wait()


@pytest.mark.parametrize(("ended", "days"), [(True, 0), (False, 30)], ids=["it is gone", "its id went to another one"])
def test_the_lock_of_a_process_that_is_gone_is_stale(tmp_path: Path, *, ended: bool, days: int) -> None:
    pid = finished_process() if ended else os.getpid()
    write_lock(tmp_path, pid=pid, since=datetime.now(UTC) - timedelta(days=days))
    assert read_locks(tmp_path)[0].is_stale()


def test_the_lock_of_another_machine_is_never_stale(tmp_path: Path) -> None:
    write_lock(tmp_path, pid=finished_process(), host="elsewhere")
    [lock] = read_locks(tmp_path)
    assert not lock.is_stale()
    assert "on elsewhere" in str(lock)


def test_the_way_out_of_a_lock_of_another_machine_ends_no_process_here(tmp_path: Path) -> None:
    path = write_lock(tmp_path / "my state", pid=os.getpid(), host="elsewhere")
    with pytest.raises(StackBusyError) as caught:
        clear_stale(tmp_path / "my state", "local", lambda _: None)
    assert "kill" not in str(caught.value)
    assert f"if this machine had another name then, delete '{path}'; then run this again." in str(caught.value)
    path.unlink()
    clear_stale(tmp_path / "my state", "local", lambda _: None)


def test_a_half_written_lock_is_left_to_the_engine(tmp_path: Path) -> None:
    write_lock(tmp_path, pid=1).write_text("{")
    assert read_locks(tmp_path) == []
