"""The command line of `python -m training` for a step's inputs, and what its streams say: the same in every place."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from steps.shared.dataset_paths import located
from training.parameters import Dataset, GateParameters, Parameters, TrainingParameters

ERROR = "error: "
"""How the line on standard error begins that says why a run failed."""


def model_options(dataset: Dataset, parameters: TrainingParameters, gate: GateParameters) -> Iterator[str]:
    """The options that say what to train, and not where the data and the result lie."""
    described = located(dataset).model_dump(mode="json")
    yield from ("--dataset", described.pop("kind"))
    if "seed" in described:
        described["dataset_seed"] = described.pop("seed")
    yield from _options("", described)
    yield from _options("", _plain(parameters))
    yield from _options("gate-", _plain(gate))


def progress_shown(report: Callable[[str], None]) -> Callable[[str], bool]:
    """What shows a line of standard error by `report` when it is progress, and says whether it was."""

    def show(line: str) -> bool:
        try:
            message = json.loads(line)["message"]
        except (ValueError, KeyError, TypeError):
            return False
        report(message)
        return True

    return show


def reason_in(errors: str) -> str | None:
    """Training's own sentence at the end of its standard error; None when it ended without a word."""
    _, marker, sentence = errors.rpartition(ERROR)
    return sentence.strip() if marker else None


def _options(prefix: str, values: dict[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        yield from (f"--{prefix}{name}".replace("_", "-"), str(value))


def _plain(parameters: Parameters) -> dict[str, Any]:
    return parameters.model_dump(mode="json")
