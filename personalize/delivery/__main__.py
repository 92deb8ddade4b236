"""`python -m personalize.delivery COMMAND`: the commands behind the workflows' `make` targets."""

import os
import sys
from typing import Annotated

import typer

from features.errors import PersonalizationError
from personalize.delivery.command import personalize
from personalize.delivery.github import GitHub
from personalize.delivery.runner import require_repository, require_runner
from personalize.delivery.tasks import Delivery, summarise
from personalize.stack.on_azure import azure_of
from tools.stack_names import require_stack_name

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
Stack = Annotated[
    str, typer.Option(callback=require_stack_name, help="The stack. Its settings are in Pulumi.<stack>.yaml.")
]


def _delivery(stack: str) -> Delivery:
    settings = azure_of(stack)
    require_repository(stack, settings, os.environ)
    require_runner(stack, settings, os.environ)
    return Delivery(stack=stack, run=personalize, github=GitHub.of_workflow(), say=summarise)


@app.command()
def preview(
    *, stack: Stack, base: Annotated[str, typer.Option(help="Git revision to compare the cost with.")] = "origin/main"
) -> None:
    """Print what `up` would change and its price. Fails if it would delete data without a label."""
    _delivery(stack).preview(base)


@app.command()
def deploy(
    *, stack: Stack, commit: Annotated[str, typer.Option(help="Git commit whose pull request may have the label.")]
) -> None:
    """Bring the stack up. Fails if it would delete data without a label."""
    _delivery(stack).deploy(commit)


@app.command()
def retrain(*, stack: Stack) -> None:
    """Train and serve a new model if there is new data."""
    _delivery(stack).retrain()


@app.command()
def resource_drift(*, stack: Stack) -> None:
    """Compare the stack's resources with what was deployed. A difference that is not allowed opens an issue."""
    _delivery(stack).resource_drift()


@app.command()
def destroy(*, stack: Stack) -> None:
    """Delete the stack if the variable CONFIRM holds its name. DELETE_DATA=true allows deleting the lake too."""
    _delivery(stack).destroy(os.environ.get("CONFIRM", ""), delete_data=os.environ.get("DELETE_DATA") == "true")


@app.command()
def rollback(*, stack: Stack) -> None:
    """Serve the model version in the variable VERSION, a number or `latest`, without training."""
    _delivery(stack).rollback(os.environ.get("VERSION", ""))


@app.command()
def pause(*, stack: Stack) -> None:
    """Stop the stack's cluster."""
    _delivery(stack).pause()


@app.command()
def resume(*, stack: Stack) -> None:
    """Start the stack's cluster, and wait for the service."""
    _delivery(stack).resume()


def main() -> int:
    """Run a command. An error is printed as a sentence, with exit code 1."""
    try:
        app()
    except (PersonalizationError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
    return 1  # a command that succeeds exits by itself


if __name__ == "__main__":
    sys.exit(main())
