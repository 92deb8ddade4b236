"""`init-data`: a first dataset config for your own tables, to review and correct."""

from pathlib import Path
from typing import Annotated

import typer

from features.errors import BadInputError
from personalize.terminal import options
from personalize.terminal.output import print_json, say, tell
from training.datasets.described.columns import table_rules
from training.datasets.described.quick import look_at
from training.datasets.described.spec import TablesSpec, load_spec
from training.datasets.guesses.draft import explained, to_yaml
from training.datasets.guesses.guess import guess

NAME = "dataset.yaml"
Table = Annotated[Path | None, typer.Option(help="The file of this table, if it is not recognised.")]


def init_data(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where the tables are: CSV, TSV (plain or .gz) or Parquet.")
    ],
    *,
    interactions: Table = None,
    users: Table = None,
    items: Table = None,
    label: Annotated[
        str | None, typer.Option(help="The label: the column of the interactions that says whether there was a click.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=f"The file to write; by default FOLDER/{NAME}.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    as_json: options.Json = False,
) -> None:
    """Write a dataset config for your tables: interactions, and users and items if you have them.

    It guesses each table, the keys, the label, the timestamp, numeric and categorical columns, missing values and
    separators, and gives the reason beside each guess. Correct the file, then name it in the setting `dataset`.

    Example: .venv/bin/personalize init-data my-data
    """
    target = (output or folder / NAME).expanduser().absolute()
    if target.exists() and not force:
        raise BadInputError(f"There is a file {target} already. Add --force to overwrite it, or --output FILE.")
    told = {"interactions": interactions, "users": users, "items": items}
    guessed = guess(folder.expanduser(), {role: path for role, path in told.items() if path is not None}, label)
    content = to_yaml(guessed, target.parent.resolve())
    spec = _written(target, content)
    if as_json:
        print_json({"path": target, "dataset": spec.model_dump(mode="json"), "reasons": explained(guessed)})
        return
    tell(content)
    say(
        f"Correct it, then set `personalization:dataset` to {{kind: tables, spec: {target}}} and run "
        "`.venv/bin/personalize up`."
    )


def _written(target: Path, content: str) -> TablesSpec:
    """The config that was written to `target`, after a look at the tables. Raises the `DatasetError` that fits."""
    target.write_text(content, encoding="utf-8")
    say(f"{target} is written. Checking the tables against it.")
    spec = load_spec(target)
    look_at(table_rules(spec))
    return spec
