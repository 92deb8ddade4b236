"""`recommend`: asks the running service for items."""

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from features.errors import BadInputError
from personalize.clients.service import Service
from personalize.commands.session import open_session
from personalize.terminal import options
from personalize.terminal.output import print_json, results, say

MEANINGS = {
    "unknown_user": "Nothing is stored about this user.",
    "no_histories": "The service has no stored histories, or can't read them; its log says why.",
    "unknown_items": "Some of these items are unknown; they were left out.",
    "popular": "No known item was chosen, so these are the most popular ones.",
    "fewer": "There are no more items.",
}
"""What the service's `fallback` means."""


def recommend(
    *,
    user: Annotated[str, typer.Argument(help="The ID of a user whose history is stored.", show_default=False)] = "",
    history: Annotated[
        str, typer.Option("--history", help="The IDs of items that somebody chose, separated by commas.", metavar="IDS")
    ] = "",
    top: Annotated[int, typer.Option("--top", "-k", min=1, help="How many items to recommend.", metavar="N")] = 10,
    exclude: Annotated[
        str, typer.Option("--exclude", help="IDs of items not to recommend, separated by commas.", metavar="IDS")
    ] = "",
    show: Annotated[
        str, typer.Option("--show", help="The items' columns to show, by default `title` or `name`.", metavar="COLUMNS")
    ] = "",
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    as_json: options.Json = False,
) -> None:
    """Recommend items to a user, or to somebody who chose the items of a history.

    It needs a dataset with users and items, and a service that runs. With a history, the user need not be known; with
    both, the history is added to what is stored.

    .venv/bin/personalize recommend u017 --top 5

    .venv/bin/personalize recommend --history i047,i090 --top 5
    """
    given = {"user": user, "history": _listed(history), "exclude": _listed(exclude), "show": _listed(show)}
    if not (given["user"] or given["history"]):
        raise BadInputError("Name a user or items, as in `recommend u017` or `recommend --history i047,i090`.")
    service = Service.of(open_session(stack, config_file))
    answer = service.post("/recommend", {"top": top} | {name: value for name, value in given.items() if value})
    if as_json:
        print_json(answer)
        return
    results.print(_table(answer["items"]))
    for fallback in answer["fallback"]:
        say(MEANINGS.get(fallback, fallback))
    say(f"recommended by model version {answer['model']['version']}")


def _table(items: list[dict[str, Any]]) -> Table:
    names = list(dict.fromkeys(name for item in items for name in item["columns"]))
    table = Table("", "item", *map(escape, names), "score", "reason", box=None, pad_edge=False, header_style="dim")
    for place, item in enumerate(items, start=1):
        columns = (escape(item["columns"].get(name, "")) for name in names)
        table.add_row(f"{place}.", escape(item["item"]), *columns, f"{item['score']:.4f}", escape(item["reason"]))
    return table


def _listed(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip())]
