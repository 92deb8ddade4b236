"""The options that commands share."""

from pathlib import Path
from typing import Annotated

import typer

Stack = Annotated[
    str,
    typer.Option(
        "--stack", "-s", envvar="PERSONALIZE_STACK", help="The stack to work on: its file is Pulumi.<stack>.yaml."
    ),
]
SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--config-file",
        envvar="PERSONALIZE_CONFIG_FILE",
        dir_okay=False,
        help="A stack file to use instead of Pulumi.<stack>.yaml, to try out settings without editing that one.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else there.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
