"""`tune`: look for better parameters of the stack's model."""

import subprocess
import sys
from tempfile import NamedTemporaryFile
from typing import Annotated

import typer

from infra.settings import load_settings
from personalize.stack.stack_files import StackFiles
from personalize.terminal import options
from steps.shared.dataset_paths import located
from training.progress import Format
from training.request import LocalRequest


def tune(
    *,
    trials: Annotated[
        int, typer.Option("--trials", min=1, help="The most trials; the first one has the parameters as they are.")
    ] = 20,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0.1, help="Minutes after which no further trial begins.")
    ] = None,
    encodings: Annotated[
        bool,
        typer.Option("--encodings", help="Try other encodings of categories too."),
    ] = False,
    crosses: Annotated[
        bool, typer.Option("--crosses", help="Look for pairs of columns worth crossing, and for factors of both keys.")
    ] = False,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    as_json: options.Json = False,
) -> None:
    """Search on this machine for better training parameters, or for crosses and factors.

    Prints them for the file they go into.
    """
    settings = load_settings(StackFiles(stack, config_file).effective())
    request = LocalRequest(
        dataset=located(settings.dataset),
        training=settings.training,
        gate=settings.gate,
        result=Format.JSON if as_json else Format.TEXT,
    )
    with NamedTemporaryFile("w", prefix="tune-", suffix=".json") as file:
        file.write(request.model_dump_json())
        file.flush()
        command = [sys.executable, "-m", "training.tune", "--trials", str(trials), "--request", file.name]
        command += [] if minutes is None else ["--minutes", str(minutes)]
        command += ["--encodings"] if encodings else []
        command += ["--crosses"] if crosses else []
        code = subprocess.run(command, check=False).returncode  # noqa: S603 - our own
    if code:
        raise typer.Exit(code)
