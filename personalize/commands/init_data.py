"""`init-data`: a first dataset config for your own tables, to review and correct."""

import shlex
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
import yaml

from features.errors import BadInputError
from features.files import write_whole
from personalize.terminal import Json, print_json, say, tell
from tools.paths import ROOT
from training.config import TablesSpec
from training.errors import DatasetError
from training.init_data.draft import to_yaml
from training.init_data.guess import Gains, Guess, guess
from training.progress import Progress
from training.streams import LOG, output_to
from training.tables.columns import table_rules
from training.tables.files import load_spec
from training.tables.quick import look_at

NAME = "dataset.yaml"


class FolderError(BadInputError):
    """A folder that can't be made."""


Table = Annotated[Path | None, typer.Option(help="This table's file or folder in FOLDER, if it is not recognised.")]
Key = Annotated[str | None, typer.Option(help="The interactions' column with these keys, if it is not recognised.")]


def init_data(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the tables are: files, or folders of files.")],
    *,
    interactions: Table = None,
    users: Table = None,
    items: Table = None,
    user_key: Key = None,
    item_key: Key = None,
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
    """Write a dataset config for your tables (interactions, and users and items if you have them), and a stack file.

    It guesses each table, the keys, the label, the timestamp, numeric and categorical columns, missing values and
    separators, and what has to be cleaned, and gives the reason beside each guess. Where users and items come back
    often and there is a click model, it tries their keys, crosses and factors on the first 100,000 rows, and writes
    what they gain. Correct the file, then run `up` with the stack file, which has the folder's name and is in the
    current folder.

    Example: .venv/bin/personalize init-data my-data
    """
    folder = folder.expanduser()
    target, stack_file = _target(output or folder / NAME, force=force), Path(f"{folder.resolve().name}.yaml")
    if stack_file.absolute() == target:
        raise BadInputError(f"{target} would be the dataset config and the stack file. Add --output FILE.")
    stack = stack_of(target)
    _target(stack_file, force=force or (stack_file.is_file() and stack_file.read_bytes() == stack.encode()))
    told = {"interactions": interactions, "users": users, "items": items}
    keys = {role: name for role, name in (("users", user_key), ("items", item_key)) if name is not None}
    files = {role: folder / path.expanduser() for role, path in told.items() if path is not None}
    guessed = guess(folder, files, label, keys, target.parent)
    say(f"Writing {target}, and checking the tables against it.")
    spec = drafted(target, guessed, trial=trial)
    stack_file.write_text(stack, encoding="utf-8")
    if as_json:
        print_json({"path": target, "stack_file": stack_file.absolute(), "dataset": spec.model_dump(mode="json")})
        return
    tell(target.read_text(encoding="utf-8"))
    say(f"Correct it, then run: .venv/bin/personalize up --config-file {shlex.quote(str(stack_file))}")


def stack_of(target: Path) -> str:
    """A stack file for this dataset config; paths in it start at the repository."""
    spec = target.relative_to(ROOT) if target.is_relative_to(ROOT) else target
    dataset = {"kind": "tables", "spec": str(spec)}
    content = {"config": {"personalization:target": "local", "personalization:dataset": dataset}}
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def drafted(target: Path, guessed: Guess, *, trial: bool) -> TablesSpec:
    """The config that was written to `target`, with what a trial of the keys gained."""
    former = target.read_bytes() if target.is_file() else None
    try:
        spec = _written(target, guessed)
        if trial and guessed.keys and not guessed.label.of_choices and (gains := _tried(spec, guessed)):
            spec = _written(target, replace(guessed, gains=gains))
    except BaseException:
        if former is None:
            target.unlink(missing_ok=True)  # run again, the command would refuse to overwrite it
        else:
            target.write_bytes(former)
        raise
    return spec


def made(folder: Path) -> Path:
    """Make a folder, and return the highest new one, or itself. Raises `FolderError` if that can't be done."""
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        said = f"{folder} cannot be made: {error.strerror}. Correct the permissions of the folder in which it would be."
        raise FolderError(said) from error
    return new[-1] if new else folder


def _target(output: Path, *, force: bool) -> Path:
    target = output.expanduser().absolute()
    if target.exists() and not force:
        raise BadInputError(f"There is a file {target} already. Add --force to overwrite it, or --output FILE.")
    return target


def _tried(spec: TablesSpec, guessed: Guess) -> Gains | None:
    from training.init_data.trial import STAGE, try_keys  # noqa: PLC0415 - takes seconds, and is often not needed

    say(f"Trying {' and '.join(guessed.keys)} as features; --no-trial leaves that out.")
    with TemporaryDirectory(prefix="init-data-") as folder, output_to(Path(folder) / LOG) as terminal:
        try:
            return try_keys(spec, list(guessed.keys), folder=Path(folder), progress=Progress(terminal, only=STAGE))
        except DatasetError as error:
            terminal.write(f"The keys could not be tried: {error}\n")
            return None


def _written(target: Path, guessed: Guess) -> TablesSpec:
    """The config that was written to `target`, after a look at the tables. Raises the `DatasetError` that fits."""
    write_whole(target, to_yaml(guessed, target.parent.resolve()))
    spec = load_spec(target)
    look_at(table_rules(spec))
    return spec
