"""`predict`, `rank` and `key`: asking the running service."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from features.errors import BadInputError
from personalize.clients.service import Service
from personalize.commands.session import open_session
from personalize.terminal import options
from personalize.terminal.output import messages, print_json, results

Input = Annotated[str, typer.Argument(metavar="FILE", help="A JSON file, or - for standard input.")]


def predict(
    file: Input,
    *,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    as_json: options.Json = False,
) -> None:
    """Click probability of a record: `{"int00": 1, "cat00": "68fd1e64"}`, or of a list of them."""
    content = read_json(file)
    body = {"records": content} if isinstance(content, list) else content
    answer = Service.of(open_session(stack, config_file)).post("/score", body)
    if as_json:
        print_json(answer)
        return
    model = f"model version {answer['model']['version']}"
    if "probability" in answer:
        results.print(f"{answer['probability']:.6f}", markup=False)
    else:
        for probability in answer["probabilities"]:
            results.print(f"{probability:.6f}", markup=False)
    messages.print(f"click probability by {model}", style="dim")


def rank(
    file: Input,
    *,
    top: Annotated[int | None, typer.Option("--top", "-k", min=1, help="Show only so many of the best items.")] = None,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    as_json: options.Json = False,
) -> None:
    """Order items for a user by click probability: `{"user": {...}, "items": [{...}, ...]}`."""
    content = read_json(file)
    if not isinstance(content, dict):
        raise BadInputError('A ranking needs one object: {"user": {...}, "items": [{...}, ...]}.')
    answer = Service.of(open_session(stack, config_file)).post("/rank", content | ({"top": top} if top else {}))
    if as_json:
        print_json(answer)
        return
    for place, item in enumerate(answer["items"], start=1):
        results.print(f"{place:>4}. item {item['index']}: {item['probability']:.6f}", markup=False)


def key(
    *,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    header: Annotated[bool, typer.Option("--header", help="As the HTTP header that `curl -H @-` reads.")] = False,
) -> None:
    """Print the service's current key. It is a secret: pipe it, don't paste it."""
    outputs, _ = open_session(stack, config_file).outputs()
    results.print(f"Authorization: Bearer {outputs['key']}" if header else outputs["key"], markup=False)


def read_json(file: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The JSON in a file, or on standard input when it is `-`; raises `BadInputError`."""

    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        return json.loads(text)
    except OSError as error:
        raise BadInputError(
            f"{file} can't be read: {error.strerror}. Give a JSON file, or - for standard input."
        ) from error
    except UnicodeDecodeError as error:
        raise BadInputError(f"{file} is not text: byte {error.start} is not UTF-8. Give a JSON file.") from error
    except json.JSONDecodeError as error:
        where = "standard input" if file == "-" else file
        raise BadInputError(f"{where}, line {error.lineno}: this is not JSON ({error.msg}).") from error
