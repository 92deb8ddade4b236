"""The entry point of `personalize`: the commands in one place, and every error as a sentence with an exit code."""

import importlib.metadata
import os
import sys
import traceback
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperGroup

from features.errors import BadInputError, PersonalizationError, reason
from personalize.errors import GateRejectedError, UpdateInterruptedError
from personalize.terminal.lazy import LazyCommand
from personalize.terminal.output import ExitCode, messages

HELP = """Train a click model and serve it, as one Pulumi stack.

[bold]personalize up[/bold] brings everything up; run it again and nothing changes; [bold]personalize destroy[/bold]
leaves nothing behind.
"""
EPILOG = (
    "Exit codes: 0 done, 1 failed, 2 the command or something that it was given cannot be used, "
    "3 the model was trained but the gate rejected it, 130 interrupted."
)
DEBUG_VARIABLE = "PERSONALIZE_DEBUG"

PANELS = {
    "The stack": ("lifecycle.up", "lifecycle.preview", "power.pause", "power.resume", "teardown.destroy"),
    "The service": (
        "scoring.predict",
        "scoring.rank",
        "scoring.key",
        "load.load_test",
        "capacity.capacity",
        "estimate.estimate",
    ),
    "Data and models": (
        "init_data.init_data",
        "models.models",
        "models.serve",
        "models.import_models",
        "models.report",
        "drift.drift",
        "tune.tune",
    ),
    "Looking after it": (
        "operations.status",
        "operations.logs",
        "operations.doctor",
        "bootstrap.bootstrap",
        "verify.verify",
        "operations.settings",
        "lifecycle.reset",
    ),
}
"""The commands as modules of `personalize.commands` and functions in them, by the heading in `--help`."""
FORMER_NAMES = {"rollback": "serve"}
"""Names that a command had before; they still work, and `--help` does not list them."""


class Commands(TyperGroup):
    """All commands, none of them imported before it is run."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - typer's own, passed on
        super().__init__(**attributes)
        for panel, places in PANELS.items():
            for place in places:
                module, _, function = place.partition(".")
                self.add_command(LazyCommand(f"personalize.commands.{module}", function, panel))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - typer keeps the classes of its Click
        """The command of this name, or of one that it had before."""
        return super().get_command(ctx, FORMER_NAMES.get(cmd_name, cmd_name))


app = typer.Typer(
    cls=Commands,
    name="personalize",
    help=HELP,
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def command_names() -> list[str]:
    """The name of every command, in the order of `--help`."""
    return [place.partition(".")[2].replace("_", "-") for places in PANELS.values() for place in places]


def _show_version(value: bool) -> None:  # noqa: FBT001 - the signature that typer calls
    if value:
        typer.echo(f"personalize {importlib.metadata.version('personalization')}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar=DEBUG_VARIABLE, help="Show tracebacks and what Pulumi said.")
    ] = False,
) -> None:
    """Options for every command."""
    del version
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"


def main() -> None:
    """Run the command line; leaves the process with one of the documented exit codes."""
    try:
        app()
    except PersonalizationError as error:
        _leave(str(error), exit_code(error), error)
    except BrokenPipeError:
        sys.exit(ExitCode.FAILED)  # the reader of our output went away: there is nobody to tell
    except OSError as error:
        _leave(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", ExitCode.FAILED, error)
    except Exception as error:  # noqa: BLE001 - the last resort: a user never sees a traceback unless asked for
        _leave(
            f"This is a defect ({reason(error)}). Run it again with `.venv/bin/personalize --debug ...`, and report "
            "what that shows.",
            ExitCode.FAILED,
            error,
        )


def exit_code(error: PersonalizationError) -> ExitCode:
    """The exit code for an error."""
    match error:
        case GateRejectedError():
            return ExitCode.GATE_REJECTED
        case UpdateInterruptedError():
            return ExitCode.INTERRUPTED
        case BadInputError():
            return ExitCode.BAD_INPUT
        case _:
            return ExitCode.FAILED


def _leave(sentence: str, code: ExitCode, error: Exception) -> None:
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error)
    messages.print(f"[bold red]error:[/bold red] {escape(sentence)}", soft_wrap=not messages.is_terminal)
    sys.exit(code)
