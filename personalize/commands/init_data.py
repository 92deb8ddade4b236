"""`init-data`: a first description of own tables, for a person to correct."""

from pathlib import Path
from typing import Annotated

import typer

from features.errors import BadInputError
from personalize.terminal import options
from personalize.terminal.output import print_json, results, say
from training.datasets.described.columns import table_rules
from training.datasets.described.quick import look_at
from training.datasets.described.spec import load_spec
from training.datasets.guesses.draft import explained, to_yaml
from training.datasets.guesses.guess import guess

NAME = "dataset.yaml"


def init_data(
    folder: Annotated[Path, typer.Argument(help="Where the three tables are: CSV, TSV (plain or .gz) or Parquet.")],
    *,
    interactions: Annotated[
        Path | None, typer.Option(help="The table of interactions, if the command can't tell.")
    ] = None,
    users: Annotated[Path | None, typer.Option(help="The table of users, if the command can't tell.")] = None,
    items: Annotated[Path | None, typer.Option(help="The table of items, if the command can't tell.")] = None,
    label: Annotated[str | None, typer.Option(help="The interactions' column that tells a click.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=f"The file to write; by default FOLDER/{NAME}.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing description.")] = False,
    as_json: options.Json = False,
) -> None:
    """Look at the tables of interactions, users and items in FOLDER and write a first description of them.

    It guesses which table is which, the keys, what counts as a click, the time, numbers and categories, texts that mean
    missing, and separators; each guess says why, beside it. Correct the file, then point the setting `dataset` at it.
    """
    target = (output or folder / NAME).expanduser().absolute()
    if target.exists() and not force:
        raise BadInputError(f"There is a file {target} already. Add --force to overwrite it, or --output FILE.")
    told = {"interactions": interactions, "users": users, "items": items}
    guessed = guess(folder.expanduser(), {role: path for role, path in told.items() if path is not None}, label)
    content = to_yaml(guessed, target.parent.resolve())
    target.write_text(content, encoding="utf-8")
    say(f"{target} is written. Checking the tables against it.")
    spec = load_spec(target)
    look_at(table_rules(spec))
    if as_json:
        print_json({"path": target, "dataset": spec.model_dump(mode="json"), "reasons": explained(guessed)})
        return
    results.print(content, markup=False)
    say(
        f"Correct it, then set `personalization:dataset` to {{kind: tables, spec: {target}}} and run "
        "`.venv/bin/personalize up`."
    )
