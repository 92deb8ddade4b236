"""The state backend of a stack, the encryption of the secrets in it, its locks, and who uses it."""

import json
import shlex
import shutil
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import psutil
import tenacity

from azure_clients.credentials import AUTHORITY, IdentityError, client_assertion, workflow_client
from features.errors import PersonalizationError
from features.files import private_folder, write_private
from infra.azure_settings import AzureSettings
from personalize.bootstrap.names import StateNames
from personalize.errors import (
    EngineFailedError,
    EngineForbiddenError,
    StackBusyError,
)
from personalize.stack.stack_files import StackFiles
from training.datasets.placed.listing import Address, ForbiddenLakeError, UnreadableLakeError

FILE = "assertion"
RENEW_SECONDS = 120.0


def engine_identity(tenant: str, folder: Path) -> dict[str, str]:
    """Environment variables for the engine. `folder` is the stack's. Raises `IdentityError` without a token."""
    client = workflow_client()
    if client is None:
        return {"AZURE_TOKEN_CREDENTIALS": "AzureCLICredential"}
    file = folder / FILE
    private_folder(folder)
    _keep_renewed(file)
    if not file.is_file():  # an earlier destroy deleted it
        write_private(file, client_assertion())
    return {
        "AZURE_TOKEN_CREDENTIALS": "WorkloadIdentityCredential",
        "AZURE_CLIENT_ID": client,
        "AZURE_TENANT_ID": tenant,
        "AZURE_FEDERATED_TOKEN_FILE": str(file),
        "AZURE_AUTHORITY_HOST": AUTHORITY,
    }


@cache
def _keep_renewed(file: Path) -> None:
    """Write the token, and a new one every two minutes, as long as this process lives."""
    write_private(file, client_assertion())
    threading.Thread(target=_renew, args=(file,), name="assertion", daemon=True).start()


def _renew(file: Path) -> None:
    pause = threading.Event()
    while not pause.wait(RENEW_SECONDS):
        try:
            if file.parent.is_dir():  # a destroy deletes the stack's folder
                write_private(file, client_assertion())
        except (IdentityError, OSError):
            continue  # the last one is valid for some minutes; the next attempt may succeed


ENGINE = "pulumi"
"""The name of the engine's process."""


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A lock file of the engine."""

    path: Path
    pid: int
    user: str
    host: str
    since: datetime

    def is_stale(self) -> bool:
        """Whether the engine ran on this machine and has ended, even if another program has its ID now.

        When a process began is no sign of that: it moves with the machine's clock.
        """
        if self.host != socket.gethostname():
            return False
        try:
            process = psutil.Process(self.pid)
            ended = process.status() == psutil.STATUS_ZOMBIE  # it was killed, and its parent has not read its exit code
            return ended or process.name() != ENGINE
        except psutil.NoSuchProcess:
            return True

    @property
    def way_out(self) -> str:
        """How to get rid of the lock. Its process ID means nothing on another machine."""
        if self.host == socket.gethostname():
            return f"Wait for it to end, or stop it with `kill -INT {self.pid}`"
        return (
            "Wait for it to end. If it has ended, or if this machine had another name then, delete "
            f"{shlex.quote(str(self.path))}"
        )

    def __str__(self) -> str:
        here = "" if self.host == socket.gethostname() else f" on {self.host}"
        return f"process {self.pid}{here}, started by {self.user} at {self.since.astimezone(UTC):%H:%M:%S} UTC"


def read_locks(state: Path) -> list[Lock]:
    """The locks in a state folder, without files that disappear or are half-written while they are read."""
    found = []
    for path in sorted((state / ".pulumi" / "locks").rglob("*.json")):
        try:
            content = json.loads(path.read_text())
            since = datetime.fromisoformat(content["timestamp"])
            lock = Lock(path=path, pid=content["pid"], user=content["username"], host=content["hostname"], since=since)
        except (OSError, ValueError, KeyError):
            continue
        found.append(lock)
    return found


def clear_stale(state: Path, stack: str, say: Callable[[str], None]) -> None:
    """Remove the locks of ended processes. Raises `StackBusyError` for a process that still runs."""
    for lock in read_locks(state):
        if not lock.is_stale():
            raise StackBusyError(f"Stack {stack} is being changed by {lock}. {lock.way_out}; then run this again.")
        lock.path.unlink(missing_ok=True)
        say(f"Removed the lock of a process that has ended ({lock}).")


PROJECT = "personalization"
SECRET_MARK = "4dabf18193072939515e22adb298388d"  # noqa: S105 - the engine's own mark, known to all
"""The key by which the engine marks an encrypted value in its state."""
ROLE_SECONDS = 600.0
"""Time until a role that `bootstrap` gave is effective ("Troubleshoot Azure RBAC", Microsoft)."""
ROLE_PAUSE_SECONDS = 10.0
Run = Callable[..., str]
"""Runs the Pulumi CLI with a list of arguments, in a folder if given, and returns its output."""
Say = Callable[[str], None]
Answer = TypeVar("Answer")


def state_store(files: StackFiles, azure: AzureSettings | None, run: Run, say: Say) -> "StateStore":
    """In the subscription for a stack on Azure, where each call waits for a new role; otherwise on this machine."""
    if azure is None:
        return MachineState(files, run)
    return SubscriptionState(
        files,
        azure,
        run=lambda *given: patiently(lambda: run(*given), say),
        look=lambda file: patiently(lambda: is_there(file, files.stack, azure), say),
    )


class MachineState:
    """The state in the stack's folder on this machine, encrypted with a passphrase in the same folder."""

    def __init__(self, files: StackFiles, run: Run) -> None:
        """Nothing is read yet."""
        self._files = files
        self._run = run

    def environment(self) -> dict[str, str]:
        """The variables with which the Pulumi CLI finds it."""
        return {
            # No file of attributes beside each file: it is not written aside, so a killed engine could leave it empty
            # and the state unreadable.
            "PULUMI_BACKEND_URL": f"{self._files.state.as_uri()}?metadata=skip",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self._files.passphrase),
        }

    def exists(self) -> bool:
        """Whether the stack was initialised there."""
        return state_file(self._files).is_file()

    def initialise(self) -> None:
        """Create the stack there. Its stack file's copy then names what encrypts its secrets."""
        self._files.create_passphrase()
        initialise(self._files, self._run)

    def check(self) -> None:
        """Raise `PersonalizationError` if it cannot be read."""
        self._files.check_passphrase()

    def clear_locks(self, say: Say) -> None:
        """Remove the locks of processes that are gone. Raises `StackBusyError` for one that is not."""
        clear_stale(self._files.state, self._files.stack, say)

    def snapshot(self) -> Mapping[str, Any]:
        """The engine's last snapshot, its secrets encrypted; empty before the first."""
        return read_snapshot(state_file(self._files))

    def forget(self) -> None:
        """Nothing: the state is deleted with the stack's folder."""


class SubscriptionState:
    """The state in the storage account and under the key of the bootstrap, shared by all deployers."""

    def __init__(self, files: StackFiles, azure: AzureSettings, run: Run, look: Callable[[str], bool]) -> None:
        """`look` says whether the backend has a file. Makes no request yet."""
        self._files = files
        self._azure = azure
        self._run = run
        self._look = look
        self._known = False

    def environment(self) -> dict[str, str]:
        """See `MachineState`. Raises `IdentityError` if a workflow gets no identity token."""
        return {"PULUMI_BACKEND_URL": self._names.backend, **engine_identity(self._azure.tenant, self._files.folder)}

    def exists(self) -> bool:
        """See `MachineState`. Not asked again once it is true: nobody else deletes a stack meanwhile."""
        if not self._known:
            try:
                self._known = self._look(in_backend(self._files.stack))
            except EngineFailedError as error:
                raise PersonalizationError(
                    f"Run `.venv/bin/personalize bootstrap --stack {self._files.stack}` first, as the owner of "
                    f"subscription {self._azure.subscription}: it creates the stack's state backend and gives "
                    f"`azure.deployers` access. Now the backend can't be used: {error}"
                ) from error
        return self._known

    def initialise(self) -> None:
        """See `MachineState`."""
        initialise(self._files, self._run, "--secrets-provider", self._names.secrets_provider)
        self._known = True

    def check(self) -> None:
        """Take the encryption of secrets from the state, in case another machine created the stack."""
        self._files.create_folders()
        found = self.snapshot().get("secrets_providers") or {}
        state = found.get("state") or {}
        if found.get("type") == "cloud":
            self._files.keep_encryption({"secretsprovider": state["url"], "encryptedkey": state["encryptedkey"]})

    def clear_locks(self, say: Say) -> None:
        """Nothing: another machine may hold the lock. The engine names it and refuses."""
        del say

    def snapshot(self) -> Mapping[str, Any]:
        """See `MachineState`."""
        if not self.exists():
            return {}
        exported = json.loads(self._run(["stack", "export", "--stack", self._files.stack]))
        return exported.get("deployment") or {}  # what a state file has as its checkpoint's `latest`

    def forget(self) -> None:
        """See `MachineState`."""
        self._run(["stack", "rm", self._files.stack, "--yes", "--preserve-config"])
        self._known = False

    @property
    def _names(self) -> StateNames:
        return StateNames(subscription=self._azure.subscription, stack=self._files.stack)


StateStore = MachineState | SubscriptionState


def is_there(file: str, stack: str, azure: AzureSettings) -> bool:
    """Whether the stack's container has the file. Raises `EngineForbiddenError` or `EngineFailedError`.

    Not asked of Pulumi's CLI, which writes `.pulumi/meta.yaml` into an empty container, whatever it is asked
    (`ensurePulumiMeta` in its `backend/diy/meta.go`): the identity of pull requests' previews may only read.
    """
    from azure_clients.containers import AzureLake  # noqa: PLC0415 - a stack on this machine needs none of it

    names = StateNames(subscription=azure.subscription, stack=stack)
    try:
        return bool(AzureLake(azure.tenant).files(Address(names.account, names.container, file)))
    except ForbiddenLakeError as error:
        raise EngineForbiddenError(str(error)) from error
    except UnreadableLakeError as error:
        raise EngineFailedError(str(error)) from error


def patiently(call: Callable[[], Answer], say: Say) -> Answer:
    """The result of `call`, which is made again while Azure refuses it: a new role takes minutes to become effective.

    Raises `EngineForbiddenError` if it is still refused then.
    """
    waiting = "waiting for the state backend: the role on it is not effective yet, {:.0f} s so far"
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(EngineForbiddenError),
        stop=tenacity.stop_after_delay(ROLE_SECONDS),
        wait=tenacity.wait_fixed(ROLE_PAUSE_SECONDS),
        before_sleep=lambda state: say(waiting.format(state.seconds_since_start)),
        reraise=True,
    )
    return attempts(call)


def initialise(files: StackFiles, run: Run, *options: str) -> None:
    """Create the stack in a folder of its own, into which `stack init` writes the encryption of secrets."""
    folder = files.folder / "initialise"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    (folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n", encoding="utf-8")
    run(["stack", "init", files.stack, "--no-select", *options], folder)
    files.take_encryption(folder / f"Pulumi.{files.stack}.yaml")
    shutil.rmtree(folder)


def state_file(files: StackFiles) -> Path:
    """The engine's file of a stack's state on this machine."""
    return files.state / in_backend(files.stack)


def in_backend(stack: str) -> str:
    """The engine's file of a stack's state, in any backend."""
    return f".pulumi/stacks/{PROJECT}/{stack}.json"


def read_snapshot(file: Path) -> dict[str, Any]:
    """The last snapshot with its secrets encrypted; empty before the first. Raises `PersonalizationError`."""
    try:
        return _parsed(file)
    except (ValueError, AttributeError) as error:
        kept = _newest_whole(file)
        way_out = (
            f"Free some space if the disk is full. `cp {shlex.quote(str(kept))} {shlex.quote(str(file))}` restores the "
            "newest whole copy; then run this again."
            if kept
            else "Restore the file from a backup."
        )
        raise PersonalizationError(
            f"Pulumi's state in {file} is empty or incomplete, as after a full disk. {way_out}"
        ) from error


def _parsed(file: Path) -> dict[str, Any]:
    content = json.loads(file.read_text(encoding="utf-8"))
    return dict(content.get("checkpoint", {}).get("latest") or {})


def _newest_whole(file: Path) -> Path | None:
    """The newest of the engine's own copies of a state that is not cut short: the state before, and its backups."""
    backups = file.parents[2] / "backups" / file.parent.name / file.stem
    copies = [*file.parent.glob(f"{file.name}.bak"), *backups.glob("*.json")]
    for copy in sorted(copies, key=lambda one: one.stat().st_mtime_ns, reverse=True):
        with suppress(ValueError, AttributeError):
            _parsed(copy)
            return copy
    return None


def outputs_of(snapshot: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """The stack's outputs that are not secret, and the names of the secret ones."""
    for resource in snapshot.get("resources") or ():
        if resource["type"] == "pulumi:pulumi:Stack":
            found = resource.get("outputs") or {}
            secret = {name for name, value in found.items() if isinstance(value, dict) and SECRET_MARK in value}
            return {name: value for name, value in found.items() if name not in secret}, frozenset(secret)
    return {}, frozenset()
