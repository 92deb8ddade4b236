"""The engine's operations on one stack, by the Automation API, with the program in this process.

Pulumi's packages take a quarter of a second to import, so `personalize.stack.session` imports this module when needed.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pulumi
from pulumi.automation import LocalWorkspace, Stack, UpdateSummary, UpResult
from pulumi.automation.errors import CommandError

from features.errors import PersonalizationError
from infra.azure_settings import AzureSettings
from infra.program import UNREAD, program
from personalize.stack.events import Advise, EventReader, OnStep, Outcome, explain
from personalize.stack.interrupted import Refresh, Resource, forget_shown_pools, settle
from personalize.stack.pulumi_command import InterruptiblePulumi
from personalize.stack.signals import run_interruptible
from steps.data_upload import DataUploadOnAzure
from steps.datasets import located
from steps.folders import StackFolder
from steps.service_processes import ServiceProcesses, require_port
from steps.serving_settings import ScoringSettings
from tools.paths import ROOT
from training.datasets.manifest import Manifest
from training.datasets.placed.dataset import addresses
from training.parameters import Dataset

UPLOAD = DataUploadOnAzure.token()


def listed_before(snapshot: Mapping[str, Any], dataset: Dataset) -> Manifest | None:
    """What identified the data at the last update; None for data that is not in containers, which anybody may read."""
    if not addresses(located(dataset)):
        return None
    for resource in snapshot.get("resources") or ():
        if resource["type"] == UPLOAD:
            inputs = resource["inputs"]
            return Manifest(
                kind="",
                hash=inputs["manifest_hash"],
                partitions=(),
                description="listed by the last update",
                versions=inputs.get("versions") or {},
            )
    return UNREAD


class Workspace(LocalWorkspace):
    """Does not change the machine's selected stack, since every command here names its stack."""

    def select_stack(self, stack_name: str) -> None:
        """Nothing to do."""


@dataclass
class Operations:
    """The operations on the stack `name`, run by `pulumi` with these environment variables. `say` gets messages.

    `advise` adds to the errors of failed steps.
    """

    name: str
    pulumi: InterruptiblePulumi
    variables: Callable[[], Mapping[str, str]]
    say: Callable[[str], None]
    advise: Advise
    _program_error: PersonalizationError | None = None

    def up(self, on_step: OnStep, *, refresh: bool, targets: Sequence[str] = ()) -> Outcome:
        """Update the stack, or its resources that match `targets`, to what the program declares.

        The targets are steps after training, so the data isn't read for them.
        """
        call = partial(
            Stack.up, refresh=refresh or None, target=list(targets) or None, show_secrets=False, suppress_outputs=True
        )
        return self._operate("update", call, on_step, reads_data=not targets)

    def preview(self, on_step: OnStep, *, refresh: bool, listed: Manifest | None = None) -> Outcome:
        """Plan an `up`, with the data that was `listed` before if that is given."""
        return self._operate("preview", partial(Stack.preview, refresh=refresh or None), on_step, listed=listed)

    def destroy(self, on_step: OnStep) -> Outcome:
        """Delete all resources of the stack."""
        return self._operate("destroy", partial(Stack.destroy, show_secrets=False), on_step)

    def last_update(self) -> UpdateSummary | None:
        """The newest operation on the stack."""
        return self._stack().info(show_secrets=False)

    def settle(
        self, pending: Sequence[Resource], azure: AzureSettings | None, refresh: Refresh, *, destroys: bool
    ) -> str:
        """Resolve the operations that a killed engine left open, see `personalize.stack.interrupted`.

        Raises `StackBusyError` if its lock is still there, or if another machine's engine does them just now.
        """
        try:
            return settle(self._stack(), pending, azure, refresh, destroys=destroys)
        except CommandError as error:
            raise explain("update", str(error), EventReader(lambda _: None), self.name) from error

    def require_port(self, scoring: ScoringSettings, folder: Path) -> None:
        """Raise `PortInUseError` if another program uses the service's port. `folder` is the stack's."""
        require_port(scoring, ServiceProcesses(StackFolder(folder)))

    def forget_shown_pools(self) -> None:
        """See `personalize.stack.interrupted`."""
        forget_shown_pools(self._stack())

    def _operate(
        self,
        operation: str,
        call: Callable[..., object],
        on_step: OnStep,
        *,
        reads_data: bool = True,
        listed: Manifest | None = None,
    ) -> Outcome:
        reader = EventReader(on_step)
        started = time.monotonic()
        stack = self._stack(reads_data=reads_data, listed=listed)

        def interrupt() -> bool:
            reader.cancelled = True
            return self.pulumi.interrupt()

        try:
            result = run_interruptible(lambda: call(stack, on_event=reader), interrupt, self.say)
        except CommandError as error:
            if self._program_error:
                raise self._program_error from error
            raise explain(operation, str(error), reader, self.name, self.advise) from error
        outputs = result.outputs if isinstance(result, UpResult) else {}
        return Outcome(
            changes=reader.changes,
            steps=reader.operations,
            outputs={name: output.value for name, output in outputs.items()},
            secret=frozenset(name for name, output in outputs.items() if output.secret),
            seconds=time.monotonic() - started,
            resources=tuple(reader.resources),
            data_read=listed is None,
        )

    def _stack(self, *, reads_data: bool = True, listed: Manifest | None = None) -> Stack:
        workspace = Workspace(
            work_dir=str(ROOT),
            program=partial(self._program, reads_data=reads_data, listed=listed),
            env_vars=self.variables(),
            pulumi_command=self.pulumi,
        )
        return Stack.select(self.name, workspace)

    def _program(self, *, reads_data: bool, listed: Manifest | None) -> None:
        try:
            program(reads_data=reads_data, listed=listed)
        except pulumi.RunError as error:
            if isinstance(error.__cause__, PersonalizationError):
                self._program_error = error.__cause__
            raise
