"""Where a stack's state is: in the subscription, shared with other machines, or in a folder with a lock."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from azure_clients.containers import AzureLake
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
    is_there,
    outputs_of,
    read_locks,
    read_snapshot,
)
from tests.support.azure_stack import SUBSCRIPTION, azure_stack
from tools.paths import state_folder
from training.datasets.placed.listing import Address, ForbiddenLakeError, UnreadableLakeError

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


HERE = socket.gethostname()


def write_lock(state: Path, pid: int, host: str = HERE) -> Path:
    """A lock file as the engine writes it, before the machine's clock was set forward by years."""
    path = state / ".pulumi" / "locks" / "organization" / PROJECT / "dev" / f"{pid}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    moment = datetime(2020, 1, 1, tzinfo=UTC).isoformat()
    path.write_text(json.dumps({"pid": pid, "username": "ada", "hostname": host, "timestamp": moment}))
    return path


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """The IDs of an engine that runs, of another process, of one that has ended, and of a killed one that nobody waits
    for."""
    engine = tmp_path_factory.mktemp("bin") / "pulumi"
    engine.write_text(f"#!{sys.executable}\nprint(flush=True)\nimport time\ntime.sleep(600)\n")
    engine.chmod(0o700)
    running = subprocess.Popen([engine], stdout=subprocess.PIPE)
    assert running.stdout is not None
    running.stdout.readline()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    while psutil.Process(zombie.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    yield {"running": running.pid, "other": os.getpid(), "ended": ended.pid, "zombie": zombie.pid}
    running.kill()
    running.communicate()
    zombie.wait()


def clear(files: StackFiles, said: list[str]) -> None:
    MachineState(files, Backend()).clear_locks(said.append)


@pytest.mark.parametrize(
    "process",
    ["ended", "zombie", "other"],
    ids=["it is gone", "it was killed", "its ID went to another one"],
)
def test_the_lock_of_a_process_that_has_ended_is_removed_and_said(
    files: StackFiles, processes: dict[str, int], process: str
) -> None:
    left = write_lock(files.state, processes[process])
    said: list[str] = []
    clear(files, said)
    assert not left.exists()
    assert len(said) == 1


@pytest.mark.parametrize(
    ("process", "host", "who", "way_out"),
    [
        ("running", HERE, r"process {pid},", r"or stop it with `kill -INT {pid}`; then run this again\."),
        (
            "ended",
            "elsewhere",
            r"process {pid} on elsewhere",
            r"another name then, delete .?{path}",
        ),
    ],
)
def test_a_lock_that_is_held_refuses_and_stays(
    files: StackFiles, processes: dict[str, int], process: str, host: str, *, who: str, way_out: str
) -> None:
    pid = processes[process]
    write_lock(files.state, processes["zombie"])  # it does not hide the other one
    held = write_lock(files.state, pid, host)
    with pytest.raises(StackBusyError) as caught:
        clear(files, [])
    said = str(caught.value)
    for wanted in (who, way_out):
        assert re.search(wanted.format(pid=pid, path=re.escape(str(held))), said)
    assert ("kill" in said) is (host == HERE), "no process here is to be ended for one on another machine"
    assert held.is_file()


def test_a_half_written_lock_is_left_to_the_engine(tmp_path: Path) -> None:
    write_lock(tmp_path, 1).write_text("{")
    assert read_locks(tmp_path) == []


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
    file = tmp_path / "my state" / "stacks" / PROJECT / "local.json"
    backups = tmp_path / "my state" / "backups" / PROJECT / "local"
    whole = json.dumps({"checkpoint": {"latest": {"resources": [1, 2]}}})
    older, newest = backups / "local.2.json", file.with_name("local.json.bak")
    for age, (copy, written) in enumerate(
        [(file, content), (newest, content), (older, whole if kept else content), (backups / "local.1.json", "{}")]
    ):
        copy.parent.mkdir(parents=True, exist_ok=True)
        if kept or copy.name != "local.1.json":
            copy.write_text(written)
            os.utime(copy, (1e9 - age, 1e9 - age))
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
