"""The options that commands share."""

from pathlib import Path
from typing import Annotated

import typer

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
SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--config-file",
        envvar="PERSONALIZE_CONFIG_FILE",
        dir_okay=False,
        help="A stack file to use in place of Pulumi.<stack>.yaml.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on standard output.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask for confirmation.")]
