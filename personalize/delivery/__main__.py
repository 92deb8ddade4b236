"""`python -m personalize.delivery COMMAND`: what the workflows run by `make`."""

import os
import sys
from typing import Annotated

import typer

from features.errors import PersonalizationError
from personalize.delivery.command import personalize
from personalize.delivery.github import GitHub
from personalize.delivery.tasks import Delivery, summarise

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
Stack = Annotated[str, typer.Option(help="The stack: its file is Pulumi.<stack>.yaml.")]


def _delivery(stack: str) -> Delivery:
    return Delivery(stack=stack, run=personalize, github=GitHub.of_workflow(), say=summarise)


@app.command()
def preview(
    *, stack: Stack, base: Annotated[str, typer.Option(help="Git revision to compare the cost with.")] = "origin/main"
) -> None:
    """Show what `up` would do and what the change costs; refuse what would delete data without a label."""
    _delivery(stack).preview(base)


@app.command()
def deploy(
    *, stack: Stack, commit: Annotated[str, typer.Option(help="Git commit whose pull request is asked for labels.")]
) -> None:
    """Bring the stack up, unless that would delete data that nobody gave up."""
    _delivery(stack).deploy(commit)


@app.command()
def retrain(*, stack: Stack) -> None:
    """Train and serve a new model when there is new data."""
    _delivery(stack).retrain()


@app.command()
def resource_drift(*, stack: Stack) -> None:
    """Compare the stack's resources with what was deployed; a difference that is not on the list opens an issue."""
    _delivery(stack).resource_drift()


@app.command()
def destroy(*, stack: Stack) -> None:
    """Take the stack down when the variable CONFIRM holds its name; DELETE_DATA=true lets the lake go too."""
    _delivery(stack).destroy(os.environ.get("CONFIRM", ""), delete_data=os.environ.get("DELETE_DATA") == "true")


def main() -> int:
    """Run a command; an error is one sentence, and exit code 1."""
    try:
        app()
    except (PersonalizationError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
    return 1  # a command that ends well leaves by itself


if __name__ == "__main__":
    sys.exit(main())
