"""Where the Automation API finds the project, without a say in which stack is selected on this machine."""

from pulumi.automation import LocalWorkspace


class Workspace(LocalWorkspace):
    """Leaves the machine's selected stack alone: every command here names its stack."""

    def select_stack(self, stack_name: str) -> None:
        """Nothing to do."""
