"""`drift`: how far data has moved from what the served model was trained on. For resources see `delivery`."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from infra.settings import Settings, load_settings
from personalize.commands.models import served_report
from personalize.stack.stack_files import StackFiles
from personalize.terminal import options
from personalize.terminal.output import ExitCode
from tools.paths import state_folder


def drift(
    data: Annotated[
        str, typer.Argument(help="A day's rows: a file or folder of Criteo's format, or a YAML that describes tables.")
    ],
    *,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page to write; by default one in the stack's folder.")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    as_json: options.Json = False,
) -> None:
    """Compare a day's data with the data that the served model was trained on.

    Writes a page with each column's population stability index (PSI). The exit code is 3 when one of them exceeds the
    setting `gate.max_drift`. Changes of the stack's resources are found by `make resource-drift`.
    """
    settings = load_settings(StackFiles(stack, config_file).effective())
    page = output or state_folder(stack) / "drift.html"
    bundle = served_report(stack, config_file).parent
    command = [sys.executable, "-m", "training.drift", *_arguments(settings, data, bundle, page)]
    code = subprocess.run([*command, *(["--json"] if as_json else [])], check=False).returncode  # noqa: S603 - our own
    if show and code in (ExitCode.OK, ExitCode.GATE_REJECTED):
        typer.launch(page.absolute().as_uri())
    if code != ExitCode.OK:
        raise typer.Exit(code)


def _arguments(settings: Settings, data: str, bundle: Path, page: Path) -> Iterator[str]:
    is_tables = settings.dataset.kind == "tables"
    yield from ("--dataset", "tables", "--spec", data) if is_tables else ("--dataset", "criteo", "--path", data)
    yield from ("--bundle", str(bundle), "--output", str(page), "--max-drift", str(settings.gate.max_drift))
    yield from ("--driver-memory-gib", str(settings.training.driver_memory_gib))
