"""The entry point of `personalize`: the commands in one place, and every error as a sentence with an exit code."""

import importlib.metadata
import os
import sys
import traceback
from collections.abc import Callable
from typing import Annotated

import typer

from features.errors import PersonalizationError
from personalize.commands import (
    bootstrap,
    capacity,
    drift,
    estimate,
    init_data,
    lifecycle,
    load,
    models,
    operations,
    power,
    scoring,
    teardown,
    tune,
    verify,
)
from personalize.terminal.output import BadInputError, ExitCode, messages

HELP = """Train a click model and serve it, as one Pulumi stack.

[bold]personalize up[/bold] brings everything up; run it again and nothing changes; [bold]personalize destroy[/bold]
leaves nothing behind.
"""
EPILOG = (
    "Exit codes: 0 done, 1 failed, 2 the command or something that it was given cannot be used, "
    "3 the model was trained but the gate rejected it, 130 interrupted."
)
DEBUG_VARIABLE = "PERSONALIZE_DEBUG"

app = typer.Typer(
    name="personalize",
    help=HELP,
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
PANELS: dict[str, list[Callable[..., None]]] = {
    "The stack": [lifecycle.up, lifecycle.preview, power.pause, power.resume, teardown.destroy],
    "The service": [scoring.predict, scoring.rank, scoring.key, load.load_test, capacity.capacity, estimate.estimate],
    "Data and models": [init_data.init_data, models.models, models.rollback, models.report, drift.drift, tune.tune],
    "Looking after it": [
        operations.status,
        operations.logs,
        operations.doctor,
        bootstrap.bootstrap,
        verify.verify,
        operations.settings,
        lifecycle.reset,
    ],
}
for panel, commands in PANELS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)


def _show_version(value: bool) -> None:  # noqa: FBT001 - the signature that typer calls
    if value:
        typer.echo(f"personalize {importlib.metadata.version('personalization')}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and leave.")
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
            f"This should not have happened: {type(error).__name__}: {error}. "
            "Run it again with `personalize --debug ...` and report what it shows.",
            ExitCode.FAILED,
            error,
        )


def exit_code(error: PersonalizationError) -> ExitCode:
    """The exit code for an error."""
    from infra.cost.prices import PriceUnknownError  # noqa: PLC0415 - see above
    from infra.settings import SettingsError  # noqa: PLC0415 - see above
    from personalize import errors  # noqa: PLC0415 - what `--help` does not need
    from training.datasets.errors import DatasetError  # noqa: PLC0415 - see above

    bad_input = (
        BadInputError,
        DatasetError,
        PriceUnknownError,
        SettingsError,
        errors.StackFileInvalidError,
        errors.StackFileMissingError,
    )
    match error:
        case errors.GateRejectedError():
            return ExitCode.GATE_REJECTED
        case errors.UpdateInterruptedError():
            return ExitCode.INTERRUPTED
        case _:
            return ExitCode.BAD_INPUT if isinstance(error, bad_input) else ExitCode.FAILED


def _leave(sentence: str, code: ExitCode, error: Exception) -> None:
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error)
    messages.print(f"[bold red]error:[/bold red] {_escaped(sentence)}", soft_wrap=not messages.is_terminal)
    sys.exit(code)


def _escaped(text: str) -> str:
    from rich.markup import escape  # noqa: PLC0415 - only an error needs it

    return escape(text)
