"""`predict`, `rank` and `key`: requests to the running service."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from features.errors import BadInputError
from personalize.clients.service import NO_SERVICE, Service, ServiceUnreachableError
from personalize.commands.session import open_session
from personalize.terminal import options
from personalize.terminal.output import messages, print_json, tell
from steps.folders import StackFolder
from tools.paths import state_folder

Input = Annotated[
    str | None,
    typer.Argument(metavar="FILE", help="A JSON file, or - for standard input.", show_default=False),
]
Example = Annotated[
    bool, typer.Option("--example", help="Print an example of FILE with the columns of the served model, and exit.")
]


def predict(
    file: Input = None,
    *,
    example: Example = False,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    as_json: options.Json = False,
) -> None:
    """Print the click probability of a record, or of each record in a list.

    A record has the columns of your model; a column that is left out counts as missing. Start from an example:

    .venv/bin/personalize predict --example > record.json

    .venv/bin/personalize predict record.json
    """
    if example:
        print_json(_example(stack, config_file))
        return
    content = read_json(file, "predict")
    body = {"records": content} if isinstance(content, list) else content
    answer = Service.of(open_session(stack, config_file)).post("/score", body)
    if as_json:
        print_json(answer)
        return
    for probability in answer.get("probabilities") or [answer["probability"]]:
        tell(f"{probability:.6f}")
    messages.print(f"click probability by model version {answer['model']['version']}", style="dim")


def rank(
    file: Input = None,
    *,
    example: Example = False,
    top: Annotated[
        int | None, typer.Option("--top", "-k", min=1, help="Print only the best N items.", metavar="N")
    ] = None,
    name: Annotated[
        str, typer.Option("--id", metavar="FIELD", help="The field of an item that holds its ID, of any type.")
    ] = "id",
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    as_json: options.Json = False,
) -> None:
    """Rank items for a user by click probability.

    FILE holds {"user": {...}, "items": [{"id": 17, ...}, ...]} with the columns of your model. The result names each
    item by its ID, or by its position in the list if it has none. Start from an example:

    .venv/bin/personalize rank --example > rank.json

    .venv/bin/personalize rank rank.json --top 3
    """
    if example:
        of_items = Service.of(open_session(stack, config_file)).item_columns()
        record = _example(stack, config_file)
        user = {column: value for column, value in record.items() if column not in of_items}
        item = {column: value for column, value in record.items() if column in of_items}
        print_json({"user": user, "items": [{name: "first", **item}, {name: "second"}]})
        return
    content = read_json(file, "rank")
    if not isinstance(content, dict):
        raise BadInputError('A ranking needs one object: {"user": {...}, "items": [{...}, ...]}.')
    service = Service.of(open_session(stack, config_file))
    answer = _ranked(service, content | ({"top": top} if top else {}), name)
    if as_json:
        print_json(answer)
        return
    for place, item in enumerate(answer["items"], start=1):
        tell(f"{place:>4}. item {item.get(name, item['index'])}: {item['probability']:.6f}")


def _ranked(service: Service, body: dict[str, Any], name: str) -> Any:  # noqa: ANN401 - JSON
    """The service's answer, with the caller's IDs from the items' field `name`.

    The service refuses unknown fields, so the IDs are not sent unless the model has such a column.
    """
    given = body.get("items")
    items = [item if isinstance(item, dict) else {} for item in given] if isinstance(given, list) else []
    if given and any(name in item for item in items) and name not in service.example():
        sent = [{key: one[key] for key in one if key != name} if isinstance(one, dict) else one for one in given]
        body = body | {"items": sent}
    answer = service.post("/rank", body)
    for item in answer["items"]:
        if name in items[item["index"]]:
            item[name] = items[item["index"]][name]
    return answer


def _example(stack: str, config_file: Path | None) -> dict[str, Any]:
    """A held-out record of the model, or one that the service makes up if `up` did not run on this machine."""
    file = StackFolder(state_folder(stack)).example
    found = read_json(str(file), "predict") if file.is_file() else None
    return found or Service.of(open_session(stack, config_file)).example()


def key(
    *,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    header: Annotated[bool, typer.Option("--header", help="Print it as an HTTP header, for `curl -H @-`.")] = False,
    as_json: options.Json = False,
) -> None:
    """Print the service's API key. It is a secret: pipe it, don't paste it."""
    outputs, _ = open_session(stack, config_file).outputs()
    if "key" not in outputs:
        raise ServiceUnreachableError(NO_SERVICE)
    if as_json:
        print_json({"key": outputs["key"]})
    else:
        tell(f"Authorization: Bearer {outputs['key']}" if header else outputs["key"])


def read_json(file: str | None, command: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The JSON in a file, or on standard input if `file` is `-`. Raises `BadInputError`, also if there is no file."""
    if file is None:
        raise BadInputError(
            f"Give a JSON file, or - for standard input. `.venv/bin/personalize {command} --example > {command}.json` "
            "writes one."
        )
    where = "standard input" if file == "-" else file
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
        raise BadInputError(f"{where}, line {error.lineno}: this is not JSON ({error.msg}).") from error
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{where} can't be read: a number is too long, or lists are nested too deeply.") from error
