"""`move-state`: moves a stack's state from this machine into its subscription."""

from personalize.commands.session import open_session
from personalize.stack.on_azure import require_azure
from personalize.terminal import options
from personalize.terminal.output import print_json, tell


def move_state(
    *, stack: options.Stack = "dev", config_file: options.SettingsFile = None, as_json: options.Json = False
) -> None:
    """Move a stack's state from this machine into its subscription, where other people and workflows find it.

    First run `bootstrap` and set `state: subscription` in the stack file. The old state is kept in the stack's folder.
    """
    settings = require_azure(stack, config_file)
    count = open_session(stack, config_file).move_state(settings)
    if as_json:
        print_json({"moved": count})
        return
    tell(f"The state of stack {stack} is in subscription {settings.subscription} now, with {count} resources.")
    tell(f"Commit `state: subscription`; `.venv/bin/personalize preview --stack {stack}` must show no change.")
