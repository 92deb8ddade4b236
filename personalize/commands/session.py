"""The session of a stack as a command needs it."""

from pathlib import Path

from personalize.stack.session import StackSession
from personalize.terminal.output import say


def open_session(stack: str, config_file: Path | None = None) -> StackSession:
    """The session of a command, which says on standard error what is worth telling."""
    return StackSession(stack, settings_file=config_file, say=say)
