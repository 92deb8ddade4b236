"""`StackSession`: bring a stack up, look at it, take it down, through the Pulumi engine and this process's own program.

The program is the `deploy(settings)` that a plain `pulumi up` runs too; `environment()` is what such a plain run needs.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pulumi
from filelock import FileLock
from pulumi.automation import CommandResult, Stack, UpdateSummary, UpResult
from pulumi.automation.errors import CommandError

from features.errors import PersonalizationError
from infra.settings import Target, load_settings
from personalize.engine.events import Change, EventReader, StepUpdate
from personalize.engine.failures import explain
from personalize.engine.interruption import run_interruptible
from personalize.engine.process import InterruptiblePulumi
from personalize.engine.workspace import Workspace
from personalize.errors import StackMissingError
from personalize.stack.azure_side import AzureSide
from personalize.stack.pending import settle
from personalize.stack.shown_pools import forget_shown_pools
from personalize.stack.snapshot import secret_outputs
from personalize.stack.stack_files import StackFiles
from personalize.stack.state_store import PROJECT, StateStore, state_store
from steps.shared.folders import StackFolder
from tools.paths import ROOT
from tools.toolchain import pulumi_command

OnStep = Callable[[StepUpdate], None]
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an operation did."""

    changes: dict[str, int]
    """Resources by the engine's word for what happened to them."""
    steps: dict[str, str]
    """The engine's word for what happened, by step."""
    outputs: dict[str, Any]
    """The stack's outputs in clear text."""
    secret: frozenset[str]
    """The names of the outputs that must not be shown."""
    seconds: float
    resources: tuple[Change, ...] = ()
    """What happened, or would happen, to each resource that did not stay as it was."""


class StackSession:
    """One stack on this machine. `say` gets the sentences that are worth telling beside the steps' news."""

    def __init__(self, stack: str = "local", *, settings_file: Path | None = None, say: Say = lambda _: None) -> None:
        self.files = StackFiles(stack, settings_file)
        self.stack = stack
        self._azure = AzureSide(self.files)
        self._say = say
        self._pulumi = InterruptiblePulumi(pulumi_command())
        self._program_error: PersonalizationError | None = None

    def environment(self) -> dict[str, str]:
        """What the Pulumi CLI needs to work on this stack: where its state is, and the copy of the stack file."""
        return {
            "PULUMI_STACK": self.stack,
            **self._state.environment(),
            "PULUMI_OPTION_CONFIG_FILE": str(self.files.copy),
            "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }

    def exists(self) -> bool:
        """True when the stack was initialised, here or where its state is."""
        return self._state.exists()

    def require(self) -> None:
        """Raise `StackMissingError` when the stack is not up."""
        if not self.exists():
            raise StackMissingError(f"Stack {self.stack} is not up. Run `personalize up` first.")

    def prepare(self) -> None:
        """Make the stack ready for an operation of the engine: files, passphrase, stack, locks of dead processes.

        Raises the errors of `personalize.errors` that concern the stack's files and its lock.
        """
        self.files.committed()
        self.files.create_folders()
        with FileLock(self.files.folder / "prepare.lock", mode=0o600):
            if self.exists():
                self._state.check()
                self._state.clear_locks(self._say)
            else:
                self._state.initialise()
            self.files.render()

    def up(
        self, on_step: OnStep, *, refresh: bool = False, only: Sequence[str] = (), replace_data: bool = False
    ) -> Outcome:
        """Bring the stack to what its settings say; with `refresh` look first at what is really there.

        `only` names the steps to bring up to date, the others stay as they were made last. Raises
        `DataWouldBeReplacedError` where that would delete the stack's storage, unless `replace_data` allows it: then
        all of the stack is deleted first, or `NamesTakenError` is raised where that can't go well. `PortInUseError`
        comes before the training that it would make vain.
        """
        self.prepare()
        self._require_port()
        snapshot = self._state.snapshot()
        if not replace_data:
            self._azure.refuse_to_replace_data(snapshot)
        elif self._azure.begins_anew(snapshot):
            self._say("Azure moves no data: all of the stack is deleted first, and then made anew.")
            self._take_down(snapshot, on_step)
            snapshot = self._state.snapshot()
        self._go_on_from(snapshot)
        if refresh and self._azure.settings:
            self._refresh([])
            forget_shown_pools(self._stack())
            refresh = False

        def operate(stack: Stack, reader: EventReader) -> object:
            return stack.up(
                on_event=reader,
                refresh=refresh or None,
                policy_packs=self._azure.policy_packs,
                target=[target for step in only for target in self._with_children(step)] or None,
                show_secrets=False,
                suppress_outputs=True,
            )

        return self._operate("update", operate, on_step)

    def preview(self, on_step: OnStep, *, refresh: bool = False) -> Outcome:
        """Find out what `up` would do, and do nothing; with `refresh` look first at what is really there."""
        self.prepare()

        def operate(stack: Stack, reader: EventReader) -> object:
            return stack.preview(on_event=reader, refresh=refresh or None, policy_packs=self._azure.policy_packs)

        return self._operate("preview", operate, on_step)

    def destroy(self, on_step: OnStep) -> Outcome:
        """Delete everything the stack made, then the stack and its folder on this machine."""
        self.require()
        self.prepare()
        outcome = self._take_down(self._state.snapshot(), on_step)
        if renewed := self._azure.renew_suffix():
            self._say(renewed)
        self._state.forget()
        self.files.delete()
        return outcome

    def outputs(self) -> tuple[dict[str, Any], frozenset[str]]:
        """The stack's outputs in clear text, and the names of the secret ones; raises when the stack is not up."""
        self.require()
        self._state.check()
        shown = self._command(["stack", "output", "--json", "--show-secrets", "--stack", self.stack])
        return self._located(json.loads(shown.stdout)), secret_outputs(self._state.snapshot())

    def last_update(self) -> UpdateSummary | None:
        """The newest operation of the engine on this stack."""
        self.require()
        return self._stack().info(show_secrets=False)

    def _require_port(self) -> None:
        settings = load_settings(self.files.effective())
        if settings.target is Target.LOCAL:
            # They take a tenth of a second, and only an `up` on this machine needs them.
            from steps.local.port import require_port  # noqa: PLC0415 - see above
            from steps.local.supervision import Supervisor  # noqa: PLC0415 - see above

            require_port(settings.scoring, Supervisor(StackFolder(self.files.folder).service))

    def _with_children(self, step: str) -> tuple[str, str]:
        """A step's resource, and all that is declared within it: a URN holds the types of the resource's parents."""
        start = f"urn:pulumi:{self.stack}::{PROJECT}::**:{step}"
        return f"{start}::**", f"{start}$**"

    def _take_down(self, snapshot: Mapping[str, Any], on_step: OnStep) -> Outcome:
        self._go_on_from(snapshot)

        def operate(stack: Stack, reader: EventReader) -> object:
            return stack.destroy(on_event=reader, show_secrets=False)

        return self._operate("destroy", operate, on_step)

    def _operate(self, operation: str, call: Callable[[Stack, EventReader], object], on_step: OnStep) -> Outcome:
        reader = EventReader(on_step)
        started = time.monotonic()
        stack = self._stack()

        def interrupt() -> bool:
            reader.cancelled = True
            return self._pulumi.interrupt()

        try:
            result = run_interruptible(lambda: call(stack, reader), interrupt, self._say)
        except CommandError as error:
            if self._program_error:
                raise self._program_error from error
            raise explain(operation, error, reader, self.stack) from error
        outputs = result.outputs if isinstance(result, UpResult) else {}
        return Outcome(
            changes=reader.changes,
            steps=reader.operations,
            outputs=self._located({name: output.value for name, output in outputs.items()}),
            secret=frozenset(name for name, output in outputs.items() if output.secret),
            seconds=time.monotonic() - started,
            resources=tuple(reader.resources),
        )

    def _located(self, outputs: dict[str, Any]) -> dict[str, Any]:
        """The outputs with the report as a path: the state names it within the stack's folder, which may move."""
        report = {"report": str(self.files.folder / outputs["report"])} if "report" in outputs else {}
        return outputs | report

    def _stack(self) -> Stack:
        workspace = Workspace(
            work_dir=str(ROOT), program=self._program, env_vars=self.environment(), pulumi_command=self._pulumi
        )
        return Stack.select(self.stack, workspace)

    def _program(self) -> None:
        from infra.graph import program  # noqa: PLC0415 - only an update needs it, and it takes a while

        try:
            program()
        except pulumi.RunError as error:
            if isinstance(error.__cause__, PersonalizationError):
                self._program_error = error.__cause__
            raise

    @cached_property
    def _state(self) -> StateStore:
        """Raises `SettingsError`."""

        def run(arguments: list[str], folder: Path = ROOT) -> str:
            return str(self._command(arguments, folder).stdout)

        return state_store(self.files, self._azure.settings, run)

    def _command(self, arguments: list[str], folder: Path = ROOT) -> CommandResult:
        try:
            return self._pulumi.run(arguments, str(folder), self.environment())
        except CommandError as error:
            raise explain(arguments[0], error, EventReader(lambda _: None), self.stack) from error

    def _go_on_from(self, snapshot: Mapping[str, Any]) -> None:
        """Be let in where the stack is, and close what a killed engine left open."""
        self._azure.enter(snapshot)
        pending = snapshot.get("pending_operations")
        if not pending:
            return
        self._say(settle(self._stack(), pending, self._azure.settings, self._refresh))

    def _refresh(self, arguments: list[str]) -> CommandResult:
        return self._command(["refresh", "--yes", "--skip-preview", "--stack", self.stack, *arguments])
