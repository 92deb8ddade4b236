"""Lists the commands of `personalize`, and turns every error into a sentence and an exit code.

A command is imported when it is run, so that `personalize --help` imports none.
"""

import ast
import importlib
import importlib.metadata
import importlib.util
import os
import re
import sys
import traceback
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperCommand, TyperGroup

from features.errors import BadInputError, PersonalizationError, reason
from features.files import no_space
from personalize.errors import GateRejectedError, StackPausedError, UpdateInterruptedError
from personalize.stack.signals import as_ctrl_c
from personalize.stack.stack_files import VARIABLE
from personalize.terminal import ExitCode, messages


class LazyCommand(TyperCommand):
    """The function `module.function` as a command. Its summary is read from the source; its options need the import."""

    def __init__(self, module: str, function: str, panel: str) -> None:
        """`panel` is its heading in `--help`. Nothing is imported yet."""
        described = _docstrings(module)[function]
        super().__init__(_name(function), help=described, rich_help_panel=panel, rich_markup_mode="rich")
        self._place = module, function

    @cached_property
    def _command(self) -> Any:  # noqa: ANN401 - typer keeps the classes of its Click to itself
        module, function = self._place
        alone = typer.Typer(rich_markup_mode="rich", add_completion=False)
        run = getattr(importlib.import_module(module), function)
        alone.command(self.name, help=self.help, rich_help_panel=self.rich_help_panel)(run)
        command = typer.main.get_command(alone)
        places = [place for place, one in enumerate(command.params) if one.name == "stack"]
        if places and function not in WITHOUT_STACK_FILE:
            command.params.insert(places[0] + 1, _stack_file())
        return command

    def make_context(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - see `_command`
        """Import the command and parse its arguments."""
        return self._command.make_context(*arguments, **options)

    def get_params(self, ctx: Any) -> Any:  # noqa: ANN401 - see `_command`
        """The command's parameters."""
        return self._command.get_params(ctx)


def _name(function: str) -> str:
    """The command that a function is; one that Python reserves ends in `_`."""
    return function.rstrip("_").replace("_", "-")


def _stack_file() -> Any:  # noqa: ANN401 - see `LazyCommand`
    """The option `--config-file`, which every command with a stack has and none reads: it sets the variable until the
    command ends.
    """

    def use(context: typer.Context, file: Path | None) -> None:
        if file is not None:
            before = os.environ.get(VARIABLE)
            os.environ[VARIABLE] = str(file)
            context.call_on_close(
                partial(os.environ.pop, VARIABLE) if before is None else partial(os.environ.update, {VARIABLE: before})
            )

    def command(
        *,
        config_file: Annotated[
            Path | None,
            typer.Option(
                "--config-file",
                envvar=VARIABLE,
                dir_okay=False,
                expose_value=False,
                callback=use,
                help="A stack file to use in place of Pulumi.<stack>.yaml.",
            ),
        ] = None,
    ) -> None:
        del config_file

    alone = typer.Typer(add_completion=False)
    alone.command()(command)
    return typer.main.get_command(alone).params[0]


@cache
def _docstrings(module: str) -> dict[str, str]:
    """The docstrings of a module's functions, read without importing it, with a line for each paragraph."""
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"There is no module {module}.")
    content = ast.parse(Path(found.origin).read_text(encoding="utf-8")).body
    described = {node.name: ast.get_docstring(node) or "" for node in content if isinstance(node, ast.FunctionDef)}
    return {name: re.sub(r"(?<!\n)\n(?!\n)", " ", text) for name, text in described.items()}


HELP = """Recommendations and click predictions from your own tables, as a service on your machine or on Azure.

[bold].venv/bin/personalize up[/bold] brings a stack up, and run again it updates only what has changed.
[bold].venv/bin/personalize destroy[/bold] deletes the stack.
"""
EPILOG = (
    "Exit codes: 0 done, 1 failed, 2 a command, option or input cannot be used, 3 the model was trained but the gate "
    "rejected it, 4 the stack is paused, 130 interrupted."
)
EXIT_CODES = {
    GateRejectedError: ExitCode.GATE_REJECTED,
    StackPausedError: ExitCode.PAUSED,
    UpdateInterruptedError: ExitCode.INTERRUPTED,
    BadInputError: ExitCode.BAD_INPUT,
}
"""By kind of error; all others are `FAILED`."""
DEBUG_VARIABLE = "PERSONALIZE_DEBUG"
LONGEST_SHOWN = 40
"""Characters of a text that cannot be written, up to the first one that cannot."""

WITHOUT_STACK_FILE = {"estimate", "reset"}
"""Commands that take a stack file by another option, or read none."""
PANELS = {
    "The stack": (
        "lifecycle.up",
        "lifecycle.preview",
        "status.status",
        "status.logs",
        "destroy.destroy",
        "lifecycle.reset",
    ),
    "The service": ("service.predict", "service.rank", "service.recommend", "service.key"),
    "Data and models": (
        "try_out.try_",
        "init_data.init_data",
        "data.catalogue",
        "data.forget",
        "models.models",
        "models.serve",
        "models.report",
        "models.import_models",
    ),
    "Azure": (
        "github.bootstrap",
        "estimate.estimate",
        "operations.pause",
        "operations.resume",
    ),
    "This machine": ("operations.doctor", "operations.settings"),
}
"""The commands by their heading in `--help`, each as a module of `personalize.commands` and a function in it."""


class Commands(TyperGroup):
    """All commands. A command is imported when it is run."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - typer's own, passed on
        super().__init__(**attributes)
        for panel, places in PANELS.items():
            for place in places:
                module, _, function = place.partition(".")
                self.add_command(LazyCommand(f"personalize.commands.{module}", function, panel))


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
    return [_name(place.partition(".")[2]) for places in PANELS.values() for place in places]


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
        bool, typer.Option("--debug", envvar=DEBUG_VARIABLE, help="Show tracebacks and Pulumi's own output.")
    ] = False,
) -> None:
    """Options for every command."""
    del version
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"


def main() -> None:
    """Run the command line, and exit with one of the documented codes."""
    try:
        with as_ctrl_c():
            app()
    except PersonalizationError as error:
        _leave(str(error), exit_code(error), error)
    except BrokenPipeError:
        sys.exit(ExitCode.FAILED)  # nobody reads our output any more
    except OSError as error:
        said = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
        _leave(no_space(error) or said, ExitCode.FAILED, error)
    except UnicodeEncodeError as error:
        shown = error.object[: error.end][-LONGEST_SHOWN:]
        _leave(f"{shown!r} cannot be written as {error.encoding}. Give text in UTF-8.", ExitCode.BAD_INPUT, error)
    except Exception as error:  # noqa: BLE001 - a user sees no traceback without --debug
        _leave(
            no_space(error)
            or f"This is a defect ({reason(error)}). Run it again with `.venv/bin/personalize --debug ...`, and report "
            "what that shows.",
            ExitCode.FAILED,
            error,
        )


def exit_code(error: PersonalizationError) -> ExitCode:
    """The exit code for an error."""
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), ExitCode.FAILED)


def _leave(sentence: str, code: ExitCode, error: Exception) -> None:
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error)
    messages.print(f"[bold red]error:[/bold red] {escape(sentence)}", soft_wrap=not messages.is_terminal)
    sys.exit(code)
