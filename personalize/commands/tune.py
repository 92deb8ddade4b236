"""`tune`: search for better training parameters."""

import subprocess
import sys
from tempfile import NamedTemporaryFile
from typing import Annotated

import typer

from infra.settings import load_settings
from personalize.clients.forgotten import forgotten_in
from personalize.stack.stack_files import StackFiles
from personalize.terminal import options
from steps.shared.dataset_paths import located
from training.progress import Format
from training.request import TrainingRequest


def tune(
    *,
    trials: Annotated[
        int, typer.Option(min=1, help="Highest number of trials. The first one uses the current parameters.")
    ] = 20,
    minutes: Annotated[float | None, typer.Option(min=0.1, help="Start no trial after this many minutes.")] = None,
    encodings: Annotated[
        bool, typer.Option("--encodings", help="Also try other encodings of the categorical columns.")
    ] = False,
    crosses: Annotated[
        bool, typer.Option("--crosses", help="Search for crosses of two columns, and for factors of users and items.")
    ] = False,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    as_json: options.Json = False,
) -> None:
    """Search on this machine for better training parameters, or for crosses and factors.

    Prints the settings to put into the stack file, or the crosses and factors to put into the dataset config.
    """
    settings = load_settings(StackFiles(stack, config_file).effective())
    with (
        forgotten_in(stack, settings.azure) as forgotten,
        NamedTemporaryFile("w", prefix="tune-", suffix=".json") as file,
    ):
        request = TrainingRequest(
            dataset=located(settings.dataset),
            training=settings.training,
            gate=settings.gate,
            forgotten=forgotten,
            result=Format.JSON if as_json else Format.TEXT,
        )
        file.write(request.model_dump_json())
        file.flush()
        command = [sys.executable, "-P", "-m", "training.tune", "--trials", str(trials), "--request", file.name]
        command += [] if minutes is None else ["--minutes", str(minutes)]
        command += ["--encodings"] * encodings + ["--crosses"] * crosses
        code = subprocess.run(command, check=False).returncode  # noqa: S603 - our own
    if code:
        raise typer.Exit(code)
