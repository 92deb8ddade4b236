"""`drift`: how far new data has moved from the training data. Resource drift is in `personalize.delivery`."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from infra.settings import Settings, load_settings
from personalize.clients.forgotten import forgotten_in
from personalize.commands.models import served_report
from personalize.stack.stack_files import StackFiles
from personalize.terminal import options
from personalize.terminal.output import ExitCode
from tools.paths import state_folder


def drift(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="New data: a file or folder in Criteo's format, or a dataset config.")
    ],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page to write; by default in the stack's folder.")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    as_json: options.Json = False,
) -> None:
    """Compare new data with the data that the served model was trained on.

    Prints each column's population stability index (PSI) and writes a page with charts. The exit code is 3 if an index
    exceeds the setting `gate.max_drift`. For changes of the stack's resources, use `make resource-drift`.
    """
    settings = load_settings(StackFiles(stack, config_file).effective())
    page = output or state_folder(stack) / "drift.html"
    bundle = served_report(stack, config_file).parent
    command = [sys.executable, "-P", "-m", "training.drift", *_arguments(settings, data, bundle, page)]
    with forgotten_in(stack, settings.azure) as forgotten:
        command += ["--forgotten", str(forgotten), *(["--json"] if as_json else [])]
        code = subprocess.run(command, check=False).returncode  # noqa: S603 - our own
    if show and code in (ExitCode.OK, ExitCode.GATE_REJECTED):
        typer.launch(page.absolute().as_uri())
    if code != ExitCode.OK:
        raise typer.Exit(code)


def _arguments(settings: Settings, data: str, bundle: Path, page: Path) -> Iterator[str]:
    is_tables = settings.dataset.kind == "tables"
    yield from ("--dataset", "tables", "--spec", data) if is_tables else ("--dataset", "criteo", "--path", data)
    yield from ("--bundle", str(bundle), "--output", str(page), "--max-drift", str(settings.gate.max_drift))
    yield from ("--driver-memory-gib", str(settings.training.driver_memory_gib))
