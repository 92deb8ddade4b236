"""`predict`, `rank`, `recommend` and `key`: requests to the running service, and recommendations for all users."""

import json
import re
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from azure_clients.model_versions import MODEL
from features.errors import BadInputError, reason
from infra.azure_settings import AzureSettings
from personalize.stack.on_azure import require_packages, settings_of
from personalize.stack.service import NO_SERVICE, Service, ServiceUnreachableError
from personalize.stack.session import StackSession
from personalize.terminal import Json, Stack, messages, print_json, results, say, tell
from recommend.forgotten import Forgotten
from steps.folders import StackFolder
from steps.registry_here import LocalRegistry
from steps.serving_settings import limit_options
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
    stack: Stack = "local",
    as_json: Json = False,
) -> None:
    """Print the click probability of a record, or of each record in a list.

    A record has the columns of your model; a column that is left out counts as missing. Start from an example:

    .venv/bin/personalize predict --example > record.json

    .venv/bin/personalize predict record.json
    """
    if example:
        print_json(Service.of(StackSession(stack)).example("/score"))
        return
    content = read_json(file, "predict")
    body = {"records": content} if isinstance(content, list) else content
    answer = Service.of(StackSession(stack)).post("/score", body)
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
    stack: Stack = "local",
    as_json: Json = False,
) -> None:
    """Rank items for a user by click probability.

    FILE holds {"user": {...}, "items": [{"id": 17, ...}, ...]} with the columns of your model. The result names each
    item by its ID, or by its position in the list if it has none. Start from an example:

    .venv/bin/personalize rank --example > rank.json

    .venv/bin/personalize rank rank.json --top 3
    """
    if example:
        print_json(Service.of(StackSession(stack)).example("/rank"))
        return
    content = read_json(file, "rank")
    if not isinstance(content, dict):
        raise BadInputError('A ranking needs one object: {"user": {...}, "items": [{...}, ...]}.')
    service = Service.of(StackSession(stack))
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
    if given and any(name in item for item in items) and name not in service.example("/score"):
        sent = [{key: one[key] for key in one if key != name} if isinstance(one, dict) else one for one in given]
        body = body | {"items": sent}
    answer = service.post("/rank", body)
    for item in answer["items"]:
        if name in items[item["index"]]:
            item[name] = items[item["index"]][name]
    return answer


def key(
    *,
    stack: Stack = "local",
    header: Annotated[bool, typer.Option("--header", help="Print it as an HTTP header, for `curl -H @-`.")] = False,
    as_json: Json = False,
) -> None:
    """Print the service's API key. It is a secret: pipe it, don't paste it."""
    outputs, _ = StackSession(stack).outputs()
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
        return json.loads(sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise BadInputError(f"{where}, line {error.lineno}: this is not JSON ({error.msg}).") from error
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(
            f"{where} can't be read: {reason(error)}. Give a JSON file in UTF-8, or - for standard input."
        ) from error


MEANINGS = {
    "unknown_user": "Nothing is stored about this user.",
    "no_histories": "The service has no stored histories, or can't read them; its log says why.",
    "unknown_items": "Some of these items are unknown; they were left out.",
    "popular": "Nothing that is known of their choices helps, so these are the most popular items.",
    "fewer": "There are no more items.",
}
"""What the service's `fallback` means."""

REASONS = {"history": "because of", "attributes": "like", "popular": "many chose it", "new": "new"}
"""The service's `reason` in words, before the items that it has."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that change what a terminal does, or the order in which it shows text; a title may have some."""
TOGETHER = "`--all-users` requires `--out FILE`; it also allows `--top` and `--new`."
NO_MODEL = "Stack {} serves no model yet: run `.venv/bin/personalize up`."
WIDE = 1_000
"""Characters, so that a row is one line where no terminal shows it: reasons are long."""

History = Annotated[
    str, typer.Option("--history", help="The IDs of items that somebody chose, separated by commas.", metavar="IDS")
]
Exclude = Annotated[
    str, typer.Option("--exclude", help="IDs of items not to recommend, separated by commas.", metavar="IDS")
]
Show = Annotated[
    str,
    typer.Option(
        "--show",
        help="The items' columns to show, by default those of the dataset config, or `title` or `name`.",
        metavar="COLUMNS",
    ),
]
New = Annotated[
    int | None,
    typer.Option(
        "--new", min=0, help="How many of the last places new items may take, by default as set.", metavar="N"
    ),
]
AllUsers = Annotated[
    bool,
    typer.Option(
        "--all-users",
        help="Write a file for all users with a history; the service need not run. It is computed on this machine, "
        "which fetches model and histories of a stack on Azure: for many users, use a VM in the stack's region.",
    ),
]
Out = Annotated[Path | None, typer.Option("--out", help="The Parquet file for `--all-users`.", metavar="FILE")]


def recommend(
    *,
    user: Annotated[str, typer.Argument(help="The ID of a user whose history is stored.", show_default=False)] = "",
    history: History = "",
    top: Annotated[int, typer.Option("--top", "-k", min=1, help="How many items to recommend.", metavar="N")] = 10,
    exclude: Exclude = "",
    show: Show = "",
    new: New = None,
    all_users: AllUsers = False,
    out: Out = None,
    stack: Stack = "local",
    as_json: Json = False,
) -> None:
    """Recommend items to a user, to somebody who chose the items of a history, or to all users.

    It needs a dataset with users and items, and a service that runs. With a history, the user need not be known; with
    both, the history is added to what is stored.

    .venv/bin/personalize recommend u017 --top 5

    .venv/bin/personalize recommend --history i047,i090 --top 5

    .venv/bin/personalize recommend --all-users --out recs.parquet
    """
    if all_users or out is not None:
        if not all_users or out is None or user or history or exclude or show:
            raise BadInputError(TOGETHER)
        _recommend_all(stack, out, top, new, as_json=as_json)
        return
    lists = {"history": _listed(history), "exclude": _listed(exclude), "show": _listed(show)}
    given = {"user": user, "top": top, "new": new} | lists
    if not (given["user"] or given["history"]):
        raise BadInputError("Name a user or items, as in `recommend u017` or `recommend --history i047,i090`.")
    service = Service.of(StackSession(stack))
    answer = service.post("/recommend", {name: one for name, one in given.items() if one not in ("", [], None)})
    (print_json if as_json else _show)(answer)


def _recommend_all(
    stack: str,
    out: Path,
    top: int,
    new: int | None,
    *,
    as_json: bool,
) -> None:
    if out.suffix != ".parquet":
        raise BadInputError(f"Recommendations are written as Parquet: name a file that ends in .parquet, not {out}.")
    if not out.absolute().parent.is_dir():
        raise BadInputError(f"The folder of {out} does not exist. Create it, or name another file.")
    from personalize.all_users import Batch  # noqa: PLC0415 - LightGBM and Arrow, which a request does not need
    from scoring.responses import ModelName  # noqa: PLC0415 - see above

    settings = settings_of(stack)
    if new is None:
        new = int(limit_options(settings.scoring).get("--new-items", 0))
    with ExitStack() as fetched:
        number, bundle, snapshots, forgotten = _served(stack, settings.azure, fetched)
        name = ModelName(name=MODEL, version=str(number))
        batch = Batch(bundle=bundle, snapshots=snapshots, name=name, top=top, new=new, forgotten=forgotten)
        with Progress(console=messages, transient=True, disable=not messages.is_terminal) as progress:
            task = progress.add_task("users")
            users = batch.write(out, lambda done, total: progress.update(task, completed=done, total=total))
    if as_json:
        print_json({"file": str(out), "users": users, "version": str(number)})
    else:
        tell(f"{out}: the best {top} items for each of {users:,} users, by model version {number}")


def _served(stack: str, azure: AzureSettings | None, fetched: ExitStack) -> tuple[int, Path, Path, Forgotten]:
    """The number of the version that serves, its bundle, the folder of its snapshots, which `fetched` removes, and who
    was forgotten.
    """
    if azure is None:
        folder = StackFolder(state_folder(stack))
        registry = LocalRegistry(folder.registry)
        champion = registry.get_champion() if registry.exists else None
        if champion is not None:
            bundle, snapshots = registry.bundle(champion.bundle_hash), folder.snapshots_of(champion.bundle_hash)
            return champion.number, bundle, snapshots, Forgotten.load(folder.forgotten)
    else:
        require_packages()
        from personalize.stack.azure_models import AzureVersions, lake_snapshots  # noqa: PLC0415 - needs the packages

        versions = AzureVersions(stack, azure)
        if (found := versions.serving()) is not None:
            temporary = Path(fetched.enter_context(TemporaryDirectory(prefix="snapshots-")))
            lake = lake_snapshots(stack, azure)
            lake.fetch(found.bundle_hash, temporary)
            return found.number, versions.bundle(found), temporary, lake.forgotten()
    raise BadInputError(NO_MODEL.format(stack))


def _show(answer: dict[str, Any]) -> None:
    table = _table(answer["items"])
    wanted = results.measure(table, options=results.options.update_width(WIDE)).maximum
    table.width = min(wanted, results.width) if results.is_terminal else wanted
    results.print(table)
    for fallback in answer["fallback"]:
        say(MEANINGS.get(fallback, fallback))
    say(f"recommended by model version {answer['model']['version']}")


def _table(items: list[dict[str, Any]]) -> Table:
    names = list(dict.fromkeys(name for item in items for name in item["columns"]))
    table = Table("", "item", *map(escape, names), "reason", box=None, pad_edge=False, header_style="dim")
    for place, item in enumerate(items, start=1):
        columns = (_text(item["columns"].get(name, "")) for name in names)
        row = (item["item"], *columns, _reason(item, names[:1]))
        table.add_row(f"{place}.", *(escape(_CONTROL.sub("�", text)) for text in row))
    return table


def _reason(item: dict[str, Any], name: list[str]) -> str:
    """The reason in words, with the column `name` of its items, if there is one, in place of their keys."""
    if item["item"] in [one["item"] for one in item["because"]]:
        return "chosen before"
    called = [
        next((_text(one["columns"][of]) for of in name if of in one["columns"]), one["item"]) for one in item["because"]
    ]
    return " ".join([REASONS.get(item["reason"], item["reason"]), " and ".join(called)]).strip()


def _text(value: object) -> str:
    """A column's value, which may be several."""
    return ", ".join(value) if isinstance(value, list) else str(value)


def _listed(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip())]
