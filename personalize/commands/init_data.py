"""`init-data`: a first dataset config for your own tables, to review and correct."""

import math
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
import yaml

from features.errors import BadInputError
from personalize.terminal import Json, print_json, say, tell
from training.config import TablesSpec
from training.errors import DatasetError
from training.init_data.draft import to_yaml
from training.init_data.guess import Gains, Guess, guess
from training.init_data.trial import STAGE, try_keys
from training.progress import Progress
from training.streams import LOG, output_to
from training.tables.columns import table_rules
from training.tables.files import load_spec
from training.tables.quick import look_at

NAME = "dataset.yaml"
Table = Annotated[Path | None, typer.Option(help="The file or folder of this table, if it is not recognised.")]


def init_data(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the tables are: files, or folders of files.")],
    *,
    interactions: Table = None,
    users: Table = None,
    items: Table = None,
    label: Annotated[
        str | None, typer.Option(help="The column that says whether there was a click; `positives` if all are clicks.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=f"The file to write; by default FOLDER/{NAME}.")
    ] = None,
    trial: Annotated[
        bool, typer.Option(help="Try the keys, their crosses and factors as features, half a minute at most.")
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    as_json: Json = False,
) -> None:
    """Write a dataset config for your tables: interactions, and users and items if you have them.

    It guesses each table, the keys, the label, the timestamp, numeric and categorical columns, missing values and
    separators, and gives the reason beside each guess. Where users and items come back often, it tries their keys,
    crosses and factors on the first 100,000 rows, and writes what they gain. Correct the file, then name it in the
    setting `dataset`.

    Example: .venv/bin/personalize init-data my-data
    """
    target = _target(output or folder / NAME, force=force)
    told = {"interactions": interactions, "users": users, "items": items}
    guessed = guess(folder.expanduser(), {role: path for role, path in told.items() if path is not None}, label)
    say(f"Writing {target}, and checking the tables against it.")
    spec = _drafted(target, guessed, trial=trial)
    if as_json:
        print_json({"path": target, "dataset": spec.model_dump(mode="json")})
        return
    _show(target)


def _drafted(target: Path, guessed: Guess, *, trial: bool) -> TablesSpec:
    """The config that was written to `target`, with what a trial of the keys gained."""
    former = target.read_bytes() if target.is_file() else None
    try:
        spec = _written(target, guessed)
        if trial and guessed.keys and guessed.label.column and (gains := _tried(spec, guessed)):
            spec = _written(target, replace(guessed, gains=gains))
    except BaseException:
        if former is None:
            target.unlink(missing_ok=True)  # run again, the command would refuse to overwrite it
        else:
            target.write_bytes(former)
        raise
    return spec


def _target(output: Path, *, force: bool) -> Path:
    target = output.expanduser().absolute()
    if target.exists() and not force:
        raise BadInputError(f"There is a file {target} already. Add --force to overwrite it, or --output FILE.")
    return target


def _show(target: Path) -> None:
    tell(target.read_text(encoding="utf-8"))
    value = yaml.safe_dump({"kind": "tables", "spec": str(target)}, default_flow_style=True, width=math.inf).strip()
    say(f"Correct it, then set `personalization:dataset` to {value} and run `.venv/bin/personalize up`.")


def _tried(spec: TablesSpec, guessed: Guess) -> Gains | None:
    say(f"Trying {' and '.join(guessed.keys)} as features; --no-trial leaves that out.")
    with TemporaryDirectory(prefix="init-data-") as folder, output_to(Path(folder) / LOG) as terminal:
        try:
            return try_keys(spec, list(guessed.keys), folder=Path(folder), progress=Progress(terminal, only=STAGE))
        except DatasetError as error:
            terminal.write(f"The keys could not be tried: {error}\n")
            return None


def _written(target: Path, guessed: Guess) -> TablesSpec:
    """The config that was written to `target`, after a look at the tables. Raises the `DatasetError` that fits."""
    target.write_text(to_yaml(guessed, target.parent.resolve()), encoding="utf-8")
    spec = load_spec(target)
    look_at(table_rules(spec))
    return spec
