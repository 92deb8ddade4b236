"""`recommend`: asks the running service for items."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from features.errors import BadInputError
from personalize.clients.service import Service
from personalize.commands.session import open_session
from personalize.terminal import options
from personalize.terminal.output import print_json, results, say

MEANINGS = {
    "unknown_items": "Some of these items are unknown; they were left out.",
    "popular": "No item of the history is known, so these are the most popular ones.",
    "fewer": "There are no more items.",
}
"""What the service's `fallback` means."""


def recommend(
    *,
    history: Annotated[
        str, typer.Option("--history", help="The IDs of items that somebody chose, separated by commas.", metavar="IDS")
    ],
    top: Annotated[int, typer.Option("--top", "-k", min=1, help="How many items to recommend.", metavar="N")] = 10,
    exclude: Annotated[
        str, typer.Option("--exclude", help="IDs of items not to recommend, separated by commas.", metavar="IDS")
    ] = "",
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    as_json: options.Json = False,
) -> None:
    """Recommend items to somebody who chose the items of a history.

    It needs a dataset with users and items, and a service that runs. The user need not be known.

    .venv/bin/personalize recommend --history i047,i090 --top 5
    """
    chosen = _ids(history)
    if not chosen:
        raise BadInputError("The history is empty: give the IDs of items, as in --history i047,i090.")
    service = Service.of(open_session(stack, config_file))
    answer = service.post("/recommend", {"history": chosen, "top": top, "exclude": _ids(exclude)})
    if as_json:
        print_json(answer)
        return
    table = Table("", "item", "score", "reason", box=None, pad_edge=False, header_style="dim")
    for place, item in enumerate(answer["items"], start=1):
        table.add_row(f"{place}.", escape(item["item"]), f"{item['score']:.4f}", escape(item["reason"]))
    results.print(table)
    for fallback in answer["fallback"]:
        say(MEANINGS.get(fallback, fallback))
    say(f"recommended by model version {answer['model']['version']}")


def _ids(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip())]
