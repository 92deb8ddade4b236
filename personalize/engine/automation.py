"""The Automation API with our own process of the Pulumi CLI."""

from collections.abc import Mapping

from pulumi.automation import CommandResult, LocalWorkspace, PulumiCommand
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from personalize.engine.process import OutputCallback, PulumiProcess
from tools.versions import PULUMI


class InterruptiblePulumi(PulumiCommand):
    """Runs the CLI's commands by `process`, which can be interrupted."""

    def __init__(self, process: PulumiProcess) -> None:
        # The set-up has checked the version; doing it again costs a third of a second per command.
        self.command = str(process.executable)
        self.version = VersionInfo.parse(PULUMI)
        self._process = process

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OutputCallback | None = None,
        on_error: OutputCallback | None = None,
    ) -> CommandResult:
        """As `PulumiCommand.run`; raises its `CommandError`s."""
        finished = self._process.run(args, cwd, additional_env, on_output, on_error)
        result = CommandResult(stdout=finished.stdout, stderr=finished.stderr, code=finished.code)
        if result.code != 0:
            raise create_command_error(result)
        return result


class Workspace(LocalWorkspace):
    """Does not change the machine's selected stack, since every command here names its stack."""

    def select_stack(self, stack_name: str) -> None:
        """Nothing to do."""
