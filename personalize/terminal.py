"""The options that commands share, and their output: results go to standard output, all else to standard error."""

import json
from enum import IntEnum
from typing import Annotated

import typer
from rich.console import Console

from features.errors import BadInputError
from tools.stack_names import require_stack_name

Stack = Annotated[
    str,
    typer.Option(
        "--stack",
        "-s",
        envvar="PERSONALIZE_STACK",
        callback=require_stack_name,
        help="The stack. Its settings are in Pulumi.<stack>.yaml.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on standard output.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask for confirmation.")]


results = Console(highlight=False, soft_wrap=True)
"""Standard output: the result, and with `--json` one JSON object and nothing else."""


class _Messages(Console):
    def on_broken_pipe(self) -> None:
        """Nobody reads the messages any more. Go on silently: an update must finish properly."""
        self.quiet = True


messages = _Messages(stderr=True, highlight=False)
"""Standard error: progress, remarks, errors."""


class ExitCode(IntEnum):
    """The exit codes of all commands."""

    OK = 0
    FAILED = 1
    BAD_INPUT = 2
    GATE_REJECTED = 3
    PAUSED = 4
    INTERRUPTED = 130


def tell(line: str) -> None:
    """Print a line of the result, without reading it as markup."""
    results.print(line, markup=False)


def say(sentence: str) -> None:
    """A remark."""
    messages.print(sentence, markup=False, style="dim", soft_wrap=not messages.is_terminal)


def confirm(question: str, *, yes: bool) -> None:
    """Ask unless `yes`; exits on a no. Raises `BadInputError` if there is no terminal."""
    if yes:
        return
    if not messages.is_terminal:
        raise BadInputError("This command asks for confirmation, and there is no terminal to answer on: add `--yes`.")
    typer.confirm(question, abort=True, err=True)


def print_json(value: object) -> None:
    """Print the JSON object of a command."""
    print(json.dumps(value, indent=2, default=str))  # noqa: T201 - rich would wrap and colour it
