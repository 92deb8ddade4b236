"""`StackSession`: brings a stack up, reads it and destroys it, with Pulumi's engine and the program in this process.

The program is the same as for a plain `pulumi up`, which needs the variables of `environment()`.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from features.errors import PersonalizationError
from features.files import private_folder
from infra.settings import Settings, Target, load_settings
from personalize.errors import StackBusyError, StackMissingError
from personalize.stack.azure_side import AzureSide
from personalize.stack.events import EventReader, OnStep, Outcome, explain
from personalize.stack.guards import ACCOUNT
from personalize.stack.stack_files import StackFiles
from personalize.stack.state_store import PROJECT, MachineState, StateStore, outputs_of, state_store
from personalize.terminal import say
from steps.folders import StackFolder
from tools.paths import ROOT, STATE_VARIABLE, stacks_folder
from tools.toolchain import pulumi_command

if TYPE_CHECKING:
    from pulumi.automation import UpdateSummary

    from personalize.stack.operations import Operations
    from personalize.stack.pulumi_command import InterruptiblePulumi

Say = Callable[[str], None]
LOCK_SECONDS = 5.0
"""How long another command may take that only prepares an operation."""


class StackSession:
    """One stack, driven from this machine. `say` gets messages other than the steps' updates."""

    def __init__(
        self,
        stack: str = "local",
        settings_file: Path | None = None,
        *,
        say: Say = say,
        scratch: Path | None = None,
    ) -> None:
        """`scratch` is a folder for files and state that nobody keeps, for a plan of a stack that does not exist."""
        self.files = StackFiles(stack, settings_file, scratch)
        self.stack = stack
        self._is_scratch = scratch is not None
        self._azure = AzureSide(self.files)
        self._lock = FileLock(self.files.lock, mode=0o600)
        self._say = say

    def environment(self) -> dict[str, str]:
        """The Pulumi CLI's environment variables for this stack: state backend, copy of the stack file, sign-in."""
        return {
            "PULUMI_STACK": self.stack,
            STATE_VARIABLE: str(stacks_folder()),  # absolute, since the steps have another working directory
            **self._state.environment(),
            **self._azure.environment(),
            "PULUMI_OPTION_CONFIG_FILE": str(self.files.copy),
            "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }

    def exists(self) -> bool:
        """Whether the stack was initialised, in its state backend."""
        return self._state.exists()

    def lake(self) -> str | None:
        """The ID of the data lake's storage account, which the settings may name otherwise now; None without one."""
        found = (one for one in self._state.snapshot().get("resources") or () if one["type"] == ACCOUNT)
        return next((str(one["id"]) for one in found if one["urn"].endswith("::lake") and one.get("id")), None)

    def require(self) -> None:
        """Raise `StackMissingError` if the stack is not up."""
        if not self.exists():
            raise StackMissingError(f"Stack {self.stack} is not up. Run `.venv/bin/personalize up` first.")

    def prepare(self) -> None:
        """Prepare an operation of the engine: files, passphrase, stack, locks of ended processes.

        Raises the errors in `personalize.errors` about the stack's files and its lock.
        """
        self.files.committed()
        with self.alone():
            self.files.create_folders()
            if self.exists():
                self._state.check()
                self._state.clear_locks(self._say)
            else:
                self._state.initialise()
            self.files.render()

    def up(self, on_step: OnStep, *, refresh: bool = False, only: Sequence[str] = ()) -> Outcome:
        """Update the stack to its settings; with `refresh`, read the resources' real state first.

        `only` names the steps to update; the others stay unchanged. `PortInUseError` is raised before training.
        """
        self.files.committed()
        self.files.require_room()
        with self.alone():
            self.prepare()
            settings = self._settings()
            if settings.target is Target.LOCAL:
                self._engine.require_port(settings.scoring, self.files.folder)
            snapshot = self._state.snapshot()
            self._azure.refuse_update(snapshot)
            self._go_on_from(snapshot)
            if refresh and self._azure.settings:
                self._refresh([])
                self._engine.forget_shown_pools()
                refresh = False
            targets = [target for step in only for target in self._with_children(step)]
            outcome = self._engine.up(on_step, refresh=refresh, targets=targets)
        return replace(outcome, outputs=self._with_path(outcome.outputs))

    def preview(self, on_step: OnStep, *, refresh: bool = False, known_data: bool = False) -> Outcome:
        """Plan an `up`, and write nothing; with `refresh`, read the resources' real state first.

        With `known_data`, data in containers is not read, but planned with as the last update listed it. A plan that
        AKS would refuse is refused.
        """
        if not self._is_scratch and not self.exists():
            with TemporaryDirectory(prefix="personalize-") as scratch:
                new = StackSession(
                    self.stack, settings_file=self.files.source, say=self._say, scratch=Path(scratch) / self.stack
                )
                return new.preview(on_step, known_data=known_data)
        self.prepare()
        settings, snapshot = self._settings(), self._state.snapshot()
        self._azure.refuse_plan(snapshot)
        if refresh:
            self._azure.enter(snapshot)
        listed = None
        if known_data:
            from personalize.stack.operations import listed_before  # noqa: PLC0415 - reads datasets, which takes long

            listed = listed_before(snapshot, settings.dataset)
        return self._engine.preview(on_step, refresh=refresh, listed=listed)

    def destroy(self, on_step: OnStep) -> Outcome:
        """Delete all resources of the stack, then the stack and its folder on this machine."""
        with self.alone():
            self.require()
            self.prepare()
            self._go_on_from(self._state.snapshot(), destroys=True)
            outcome = self._engine.destroy(on_step)
            if left := self._state.snapshot().get("resources"):
                raise PersonalizationError(
                    f"{len(left)} resources of stack {self.stack} are still in Pulumi's state, so the state and the "
                    f"stack's folder are kept. Run this again."
                )
            if renewed := self._azure.renew_suffix():
                self._say(renewed)
            self._state.forget()
            self.files.delete()
        return outcome

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other command on this machine prepare, change or delete the stack meanwhile; may be entered again.

        Raises `StackBusyError` while another one does.
        """
        private_folder(self.files.lock.parent)
        try:
            held = self._lock.acquire(timeout=LOCK_SECONDS)
        except Timeout as error:
            self._state.clear_locks(self._say)  # names the engine that runs
            raise StackBusyError(
                f"Stack {self.stack} is being changed by another command. Wait for it to end, then run this again."
            ) from error
        with held:
            yield

    def outputs(self) -> tuple[dict[str, Any], frozenset[str]]:
        """The stack's outputs in clear text, and the names of the secret ones. Raises `StackMissingError`."""
        self.require()
        self._state.check()
        known, secret = outputs_of(self._state.snapshot())
        return self._with_path(known | self._in_clear(secret)), secret

    def last_update(self) -> "UpdateSummary | None":
        """The newest operation of the engine on this stack."""
        self.require()
        return self._engine.last_update()

    def _in_clear(self, secret: frozenset[str]) -> dict[str, str]:
        """The secret outputs. A local service's key is read from its file, without the engine."""
        keys = StackFolder(self.files.folder).keys
        if secret == {"key"} and keys.is_file() and (current := keys.read_text(encoding="utf-8").partition("\n")[0]):
            return {"key": current}
        shown = json.loads(self._command(["stack", "output", "--json", "--show-secrets", "--stack", self.stack]))
        return {name: shown[name] for name in secret}

    def _settings(self) -> Settings:
        return load_settings(self.files.effective())

    def _with_children(self, step: str) -> tuple[str, str]:
        """Patterns for a step's resource and its children: a URN contains the types of the resource's parents."""
        start = f"urn:pulumi:{self.stack}::{PROJECT}::**:{step}"
        return f"{start}::**", f"{start}$**"

    def _with_path(self, outputs: dict[str, Any]) -> dict[str, Any]:
        """The outputs with the report's full path: the state has it relative to the stack's folder, which may move."""
        report = {"report": str(self.files.folder / outputs["report"])} if "report" in outputs else {}
        return outputs | report

    @cached_property
    def _pulumi(self) -> "InterruptiblePulumi":
        """Found on first use: a missing stack file is reported first, and requests to the service need no engine."""
        from personalize.stack.pulumi_command import InterruptiblePulumi  # noqa: PLC0415 - a quarter of a second

        return InterruptiblePulumi(pulumi_command(), self._say)

    @cached_property
    def _engine(self) -> "Operations":
        from personalize.stack.operations import Operations  # noqa: PLC0415 - requests to the service need no Pulumi

        return Operations(self.stack, self._pulumi, self.environment, self._say, self._azure.advice)

    @cached_property
    def _state(self) -> StateStore:
        """Raises `SettingsError`."""
        if self._is_scratch:
            return MachineState(self.files, self._command)
        return state_store(self.files, self._azure.settings, self._command, self._say)

    def _command(self, arguments: list[str], folder: Path = ROOT) -> str:
        """The output of the Pulumi CLI. Raises the error that explains its failure."""
        from pulumi.automation.errors import CommandError  # noqa: PLC0415 - see `_pulumi`

        try:
            return self._pulumi.run(arguments, str(folder), self.environment()).stdout
        except CommandError as error:
            raise explain(arguments[0], str(error), EventReader(lambda _: None), self.stack) from error

    def _go_on_from(self, snapshot: Mapping[str, Any], *, destroys: bool = False) -> None:
        """Become a member where the stack is, and resolve what a killed engine left open."""
        self._azure.enter(snapshot)
        pending = snapshot.get("pending_operations")
        if not pending:
            return
        self._say(self._engine.settle(pending, self._azure.settings, self._refresh, destroys=destroys))

    def _refresh(self, arguments: list[str]) -> str:
        return self._command(["refresh", "--yes", "--skip-preview", "--stack", self.stack, *arguments])
