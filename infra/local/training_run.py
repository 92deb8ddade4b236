"""Step 2: `python -m training` in a process of its own.

The run's folder is named by everything that the model depends on.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from features.bundle import BundleError, verify
from features.errors import PersonalizationError
from infra.local.child import Finished, clean_environment, end_orphan, run_child
from infra.local.claim import claim, owns, release
from infra.local.folders import StackFolder
from infra.local.inputs import LocalInputs, LocalStep
from infra.local.registry import LocalRegistry
from infra.provider.step import Context, Created, State
from infra.settings import located
from training.parameters import Dataset, GateParameters, Parameters, TrainingParameters

RESULT = "result.json"
ERROR = "error: "
"""How the line on standard error begins that says why a run failed."""


class TrainingFailedError(PersonalizationError):
    """A training run that ended without a bundle."""


class TrainingRunInputs(LocalInputs):
    """Everything that a model depends on, but for the champion that its gate compares with."""

    registry: str
    dataset: Dataset
    location: str
    manifest_hash: str
    parameters: TrainingParameters
    gate: GateParameters
    code_hash: str


class TrainingRun(LocalStep[TrainingRunInputs]):
    """Trains into `runs/<run id>`; a run that has finished is found again instead of repeated."""

    inputs = TrainingRunInputs
    replaced_by = frozenset({"stack", "manifest_hash", "parameters", "gate", "code_hash"})

    def create(self, inputs: TrainingRunInputs, context: Context) -> Created:
        """Train; raises `TrainingFailedError` with training's own sentence, `StepCancelledError` after Ctrl-C."""
        folder = self.folder(inputs.stack)
        champion = LocalRegistry(folder.registry).champion_bundle()
        identity = run_id(inputs, champion.name if champion else None)
        run = folder.runs / identity
        end_orphan(run)
        result = _finished(run)
        if result is None:
            shutil.rmtree(run, ignore_errors=True)
            run.mkdir(parents=True)
            result = _train(arguments(inputs, folder, champion, run), run, context)
        bundle = Path(result["bundle"])
        computed = {
            "bundle": folder.relative(bundle),
            "bundle_hash": result["bundle_hash"],
            "verdict": result["verdict"],
            "metrics": result["metrics"],
            "report": folder.relative(Path(result["report"])),
            "claim": claim(run),
        }
        return Created(identity, computed)

    def update(self, identity: str, old: State, inputs: TrainingRunInputs, context: Context) -> State:
        """The same data from another place: the model stays as it is."""
        del inputs
        return self.read(identity, old, context) or {}

    def read(self, identity: str, state: State, context: Context) -> State | None:
        """Gone when the run's result or its bundle is."""
        folder = self.folder(state["stack"])
        return super().read(identity, state, context) if _finished(folder.runs / identity) else None

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Remove the run's folder; a bundle that was registered has its copy in the registry."""
        del context
        run = self.folder(state["stack"]).runs / identity
        if owns(run, state["claim"]):
            end_orphan(run)
            shutil.rmtree(run, ignore_errors=True)
            release(run)


def run_id(inputs: TrainingRunInputs, champion: str | None) -> str:
    """16 hexadecimal digits that differ when anything does that the run's bundle or verdict depends on."""
    fields = inputs.model_dump(mode="json", exclude={"stack", "registry", "dataset", "location"})
    return hashlib.sha256(json.dumps([fields, champion], sort_keys=True).encode()).hexdigest()[:16]


def arguments(inputs: TrainingRunInputs, folder: StackFolder, champion: Path | None, run: Path) -> Iterator[str]:
    """The options of `python -m training`."""
    dataset = located(inputs.dataset).model_dump(mode="json")
    yield from ("--dataset", dataset.pop("kind"))
    if "seed" in dataset:
        dataset["dataset_seed"] = dataset.pop("seed")
    yield from _options("", dataset)
    yield from _options("", _plain(inputs.parameters))
    yield from _options("gate-", _plain(inputs.gate))
    yield from ("--data", str(folder.path / inputs.location), "--output", str(run / "output"))
    if champion is not None:
        yield from ("--champion", str(champion))
    yield from ("--json", "--progress", "json")


def _train(options: Iterator[str], run: Path, context: Context) -> dict[str, Any]:
    command = [sys.executable, "-m", "training", *options]
    finished = run_child(
        command, folder=run, environment=clean_environment(), on_line=_progress(context.report), context=context
    )
    if finished.code != 0:
        raise TrainingFailedError(_reason(finished, run))
    result: dict[str, Any] = json.loads(finished.output)
    unfinished = run / f"{RESULT}.part"
    unfinished.write_text(json.dumps(result))
    unfinished.rename(run / RESULT)
    return result


def _reason(finished: Finished, run: Path) -> str:
    """Training's own sentence; without one it was ended from outside, for want of memory or by hand."""
    _, marker, sentence = finished.error.rpartition(ERROR)
    if marker:
        return sentence
    return (
        f"Training ended with code {finished.code} and without a word. A negative code is the number of the signal "
        f"that ended it; 9 is most often a machine without enough memory. Its logs are in {run}."
    )


def _progress(report: Callable[[str], None]) -> Callable[[str], bool]:
    def show(line: str) -> bool:
        try:
            message = json.loads(line)["message"]
        except (ValueError, KeyError, TypeError):
            return False
        report(message)
        return True

    return show


def _finished(run: Path) -> dict[str, Any] | None:
    """The result of a run whose bundle is whole, or None."""
    try:
        result: dict[str, Any] = json.loads((run / RESULT).read_text())
        return result if verify(Path(result["bundle"])) == result["bundle_hash"] else None
    except (OSError, ValueError, BundleError):
        return None


def _options(prefix: str, values: dict[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        yield from (f"--{prefix}{name}".replace("_", "-"), str(value))


def _plain(parameters: Parameters) -> dict[str, Any]:
    return parameters.model_dump(mode="json")
