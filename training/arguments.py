"""The command line of `python -m training`: one option per parameter, generated from the parameters' own models."""

import argparse
from collections.abc import Sequence
from enum import EnumMeta
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from features.errors import PersonalizationError
from training.parameters import Dataset, GateParameters, TrainingParameters
from training.progress import Format
from training.request import LocalRequest

Value = TypeVar("Value")


class UsageError(PersonalizationError):
    """Options that do not make a training run."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. `python -m training --help` lists the options.")


def parse(arguments: Sequence[str]) -> LocalRequest:
    """The run that options or a request ask for; raises `UsageError` naming everything that is wrong."""
    parser = _parser()
    given = vars(parser.parse_args(arguments))
    if given["request"] is not None:
        beside = [name for name, value in given.items() if name != "request" and value != parser.get_default(name)]
        if beside:
            raise UsageError(f"--request says everything, but {', '.join(beside)} was given too. Leave one out.")
        return _read(given["request"])
    fields = {
        "rows": given["rows"],
        "seed": given["dataset_seed"],
        "path": given["path"],
        "days": given["days"],
        "spec": given["spec"],
    }
    dataset = {"kind": given["dataset"]} | {name: value for name, value in fields.items() if value is not None}
    return LocalRequest(
        dataset=_validated(TypeAdapter(Dataset), dataset, prefix="--"),
        training=_validated(TypeAdapter(TrainingParameters), _chosen(given, TrainingParameters, ""), prefix="--"),
        gate=_validated(TypeAdapter(GateParameters), _chosen(given, GateParameters, "gate_"), prefix="--gate-"),
        data=given["data"],
        champion=given["champion"],
        best=given["best"],
        output=given["output"],
        work=given["work"],
        result=Format.JSON if given["json"] else Format.TEXT,
        progress=Format(given["progress"]),
    )


def _read(file: Path) -> LocalRequest:
    try:
        return LocalRequest.model_validate_json(file.read_bytes())
    except OSError as error:
        raise UsageError(f"The request {file} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        problems = (f"{'.'.join(str(part) for part in found['loc'])}: {found['msg']}" for found in error.errors())
        raise UsageError(f"The request {file} is none: {'; '.join(problems)}.") from error


def _parser() -> _Parser:
    parser = _Parser(prog="python -m training", description="Train a click model and write its bundle.")
    dataset = parser.add_argument_group("dataset")
    dataset.add_argument("--dataset", choices=["synthetic", "criteo", "tables"], default="synthetic")
    dataset.add_argument("--rows", help="synthetic: how many rows are generated")
    dataset.add_argument("--dataset-seed", help="synthetic: same seed, same rows")
    dataset.add_argument("--path", help="criteo: a file, a folder, a URL, `sample` or `full`")
    dataset.add_argument("--days", help="criteo: train on the latest so many files of the folder; 0 for all")
    dataset.add_argument("--spec", help="tables: the YAML file that describes them")
    dataset.add_argument("--data", type=Path, help="folder that holds the dataset already; else its source is read")
    run = parser.add_argument_group("run")
    run.add_argument("--request", type=Path, help="JSON file that says all of it, as `training/request.py` describes")
    run.add_argument("--champion", type=Path, help="bundle that serves, to compare with on the same held-out rows")
    run.add_argument("--best", type=Path, help="bundle of the best version kept, to compare with likewise")
    run.add_argument("--output", type=Path, help="folder for the bundle and the log; the default is ./runs/<run>")
    run.add_argument("--work", type=Path, help="folder for intermediate files; the default is in the run's folder")
    run.add_argument("--json", action="store_true", help="print the result as one JSON object on standard output")
    run.add_argument("--progress", choices=[style.value for style in Format], default=Format.TEXT.value)
    _add_fields(parser.add_argument_group("training"), TrainingParameters, "")
    _add_fields(parser.add_argument_group("gate"), GateParameters, "gate_")
    return parser


def _add_fields(group: "argparse._ArgumentGroup", model: type[BaseModel], prefix: str) -> None:
    for name, field in model.model_fields.items():
        choices = [str(choice.value) for choice in field.annotation] if isinstance(field.annotation, EnumMeta) else None
        description = (field.description or "").replace("%", "%%")
        group.add_argument(
            f"--{prefix}{name}".replace("_", "-"),
            choices=choices,
            metavar=None if choices else "VALUE",
            help=f"{description} (default: {field.default})",
        )


def _chosen(given: dict[str, Any], model: type[BaseModel], prefix: str) -> dict[str, Any]:
    values = {name: given[prefix + name] for name in model.model_fields}
    return {name: value for name, value in values.items() if value is not None}


def _validated(adapter: TypeAdapter[Value], values: dict[str, Any], *, prefix: str) -> Value:
    try:
        return adapter.validate_python(values)
    except ValidationError as error:
        problems = (
            f"{prefix}{'_'.join(str(part) for part in problem['loc'] if part not in _KINDS).replace('_', '-')}"
            f" {problem['input'] if problem['type'] != 'missing' else ''}: {problem['msg']}"
            for problem in error.errors()
        )
        raise UsageError(f"{'; '.join(problems)}. `python -m training --help` lists the options.") from error


_KINDS = {"synthetic", "criteo", "tables"}
