"""The command line of `python -m training`: one option per parameter, generated from the parameters' own models."""

import argparse
from collections.abc import Mapping, Sequence
from enum import EnumMeta
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from features.errors import PersonalizationError
from features.invalid import allowed
from training.parameters import Dataset, FilmsDataset, GateParameters, TrainingParameters
from training.progress import Format
from training.request import TrainingRequest

KINDS: Mapping[str, type[BaseModel]] = {
    get_args(model.model_fields["kind"].annotation)[0]: model for model in get_args(get_args(Dataset)[0])
}
"""The model of each kind of dataset."""


class UsageError(PersonalizationError):
    """Options that do not make a training run."""


class _Option(NamedTuple):
    """The place in a request that an option fills: a field, or one of a group of fields."""

    place: tuple[str, ...]
    help: str
    choices: list[str] | None = None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. `python -m training --help` lists the options.")


def parse(arguments: Sequence[str]) -> TrainingRequest:
    """The run that options or a request ask for; raises `UsageError` naming everything that is wrong."""
    options = _options()
    found = vars(_parser(options).parse_args(arguments))
    given = {name: value for name, value in found.items() if value not in {None, False}}
    if file := given.pop("request", None):
        if given:
            raise UsageError(f"--request says everything, but {', '.join(given)} was given too. Leave one out.")
        return _read(file)
    request: dict[str, Any] = {"dataset": {"kind": FilmsDataset().kind}, "training": {}, "gate": {}}
    request["result"] = Format.JSON if given.pop("json", False) else Format.TEXT
    for name, value in given.items():
        *group, field = options[name].place
        (request[group[0]] if group else request)[field] = value
    try:
        return TrainingRequest.model_validate(request)
    except ValidationError as error:
        names = {option.place: _written(name) for name, option in options.items()}
        problems = (
            f"{names[tuple(dict.fromkeys(str(problem['loc'][end]) for end in (0, -1)))]} "
            f"{problem['input'] if problem['type'] != 'missing' else ''}: {allowed(problem)}"
            for problem in error.errors()
        )
        raise UsageError(f"{'; '.join(problems)}. `python -m training --help` lists the options.") from error


def _read(file: Path) -> TrainingRequest:
    try:
        return TrainingRequest.model_validate_json(file.read_bytes())
    except OSError as error:
        raise UsageError(f"The request {file} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        problems = (f"{'.'.join(str(part) for part in found['loc'])}: {allowed(found)}" for found in error.errors())
        raise UsageError(f"The request {file} is not valid: {'; '.join(problems)}.") from error


def _options() -> dict[str, _Option]:
    """The options by their names. A dataset's field that training has too says whose it is."""
    found = {"dataset": _Option(("dataset", "kind"), "The kind of dataset.", [*KINDS])}
    for kind, model in KINDS.items():
        for name, field in model.model_fields.items():
            option = f"dataset_{name}" if name in TrainingParameters.model_fields else name
            if name != "kind":
                before = f"{found[option].help} " if option in found else ""
                found[option] = _Option(("dataset", name), f"{before}{kind}: {_help(field)}")
    for name, field in TrainingRequest.model_fields.items():
        if name not in {"dataset", "training", "gate", "result"}:
            found[name] = _Option((name,), _help(field), _choices(field))
    for group, prefix, model in (("training", "", TrainingParameters), ("gate", "gate_", GateParameters)):
        for name, field in model.model_fields.items():
            found[prefix + name] = _Option((group, name), _help(field), _choices(field))
    return found


def _parser(options: Mapping[str, _Option]) -> _Parser:
    parser = _Parser(prog="python -m training", description="Train a click model and write its bundle.")
    groups = {title: parser.add_argument_group(title) for title in ("dataset", "run", "training", "gate")}
    groups["run"].add_argument("--request", type=Path, help="JSON file with the whole request.")
    groups["run"].add_argument("--json", action="store_true", help="Print the result as JSON on standard output.")
    for name, option in options.items():
        group = groups[option.place[0] if len(option.place) > 1 else "run"]
        metavar = None if option.choices else "VALUE"
        group.add_argument(_written(name), choices=option.choices, metavar=metavar, help=option.help)
    return parser


def _written(name: str) -> str:
    return f"--{name}".replace("_", "-")


def _choices(field: FieldInfo) -> list[str] | None:
    return [str(choice.value) for choice in field.annotation] if isinstance(field.annotation, EnumMeta) else None


def _help(field: FieldInfo) -> str:
    """What a field means, and its default if it has one."""
    description = (field.description or "").replace("%", "%%")
    return description if field.is_required() or field.default is None else f"{description} (default: {field.default})"
