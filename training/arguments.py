"""The command line of `python -m training`: one option per parameter, generated from the parameters' own models."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from enum import EnumMeta
from pathlib import Path
from typing import Any, NoReturn, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from features.errors import PersonalizationError
from training.parameters import Dataset, FilmsDataset, GateParameters, TrainingParameters
from training.progress import Format
from training.request import TrainingRequest

KINDS: Mapping[str, type[BaseModel]] = {
    get_args(model.model_fields["kind"].annotation)[0]: model for model in get_args(get_args(Dataset)[0])
}
"""The model of each kind of dataset."""
_GROUPS = {"dataset", "training", "gate", "result"}
"""The fields of a request that have options of their own."""


class UsageError(PersonalizationError):
    """Options that do not make a training run."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. `python -m training --help` lists the options.")


def parse(arguments: Sequence[str]) -> TrainingRequest:
    """The run that options or a request ask for; raises `UsageError` naming everything that is wrong."""
    parser = _parser()
    given = vars(parser.parse_args(arguments))
    if given["request"] is not None:
        beside = [name for name, value in given.items() if name != "request" and value != parser.get_default(name)]
        if beside:
            raise UsageError(f"--request says everything, but {', '.join(beside)} was given too. Leave one out.")
        return _read(given["request"])
    fields = {name: given[name] for name in TrainingRequest.model_fields if name not in _GROUPS}
    request = {name: value for name, value in fields.items() if value is not None} | {
        "dataset": _dataset_fields(given),
        "training": _chosen(given, TrainingParameters, ""),
        "gate": _chosen(given, GateParameters, "gate_"),
        "result": Format.JSON if given["json"] else Format.TEXT,
    }
    try:
        return TrainingRequest.model_validate(request)
    except ValidationError as error:
        problems = (
            f"{_option(problem['loc'])} {problem['input'] if problem['type'] != 'missing' else ''}: {problem['msg']}"
            for problem in error.errors()
        )
        raise UsageError(f"{'; '.join(problems)}. `python -m training --help` lists the options.") from error


def _read(file: Path) -> TrainingRequest:
    try:
        return TrainingRequest.model_validate_json(file.read_bytes())
    except OSError as error:
        raise UsageError(f"The request {file} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        problems = (f"{'.'.join(str(part) for part in found['loc'])}: {found['msg']}" for found in error.errors())
        raise UsageError(f"The request {file} is not valid: {'; '.join(problems)}.") from error


def _parser() -> _Parser:
    parser = _Parser(prog="python -m training", description="Train a click model and write its bundle.")
    _add_dataset(parser.add_argument_group("dataset"))
    run = parser.add_argument_group("run")
    run.add_argument("--request", type=Path, help="JSON file with the whole request (see `training/request.py`).")
    run.add_argument("--json", action="store_true", help="Print the result as one JSON object on standard output.")
    _add_fields(run, TrainingRequest, "", leave_out=_GROUPS)
    _add_fields(parser.add_argument_group("training"), TrainingParameters, "")
    _add_fields(parser.add_argument_group("gate"), GateParameters, "gate_")
    return parser


def _add_dataset(group: "argparse._ArgumentGroup") -> None:
    """Add the options that say which dataset is meant."""
    group.add_argument("--dataset", choices=[*KINDS], default=FilmsDataset().kind)
    for name in _dataset_names():
        fields = {kind: model.model_fields[name] for kind, model in KINDS.items() if name in model.model_fields}
        meanings = " ".join(f"{kind}: {_help(field)}" for kind, field in fields.items())
        group.add_argument(_dataset_option(name), metavar="VALUE", help=meanings)


def _dataset_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the dataset that the options of `_add_dataset` give, as they were typed."""
    options = {name: _dataset_option(name).removeprefix("--").replace("-", "_") for name in _dataset_names()}
    values = {name: given[option] for name, option in options.items()}
    return {"kind": given["dataset"]} | {name: value for name, value in values.items() if value is not None}


def _dataset_names() -> list[str]:
    fields = (name for model in KINDS.values() for name in model.model_fields)
    return [name for name in dict.fromkeys(fields) if name != "kind"]


def _dataset_option(name: str) -> str:
    """The option for a field of a dataset; a name that training has too says whose it is."""
    return _written(f"dataset_{name}" if name in TrainingParameters.model_fields else name)


def _written(name: str) -> str:
    return f"--{name}".replace("_", "-")


def _add_fields(
    group: "argparse._ArgumentGroup", model: type[BaseModel], prefix: str, *, leave_out: Iterable[str] = ()
) -> None:
    for name, field in model.model_fields.items():
        if name in leave_out:
            continue
        choices = [str(choice.value) for choice in field.annotation] if isinstance(field.annotation, EnumMeta) else None
        metavar = None if choices else "VALUE"
        group.add_argument(_written(prefix + name), choices=choices, metavar=metavar, help=_help(field))


def _help(field: FieldInfo) -> str:
    """What a field means, and its default if it has one."""
    description = (field.description or "").replace("%", "%%")
    return description if field.is_required() or field.default is None else f"{description} (default: {field.default})"


def _chosen(given: Mapping[str, Any], model: type[BaseModel], prefix: str) -> dict[str, Any]:
    values = {name: given[prefix + name] for name in model.model_fields}
    return {name: value for name, value in values.items() if value is not None}


def _option(place: tuple[int | str, ...]) -> str:
    """The option for a place in a request."""
    group, *inside = map(str, place)
    if group == "dataset":
        return _dataset_option(inside[-1])
    names = {"training": inside, "gate": ["gate", *inside]}.get(group, [group])
    return _written("_".join(names))
