"""Step 2: runs `python -m training` in its own process.

The run's folder is named by a hash of everything that the model depends on.
"""

import json
import sys
from pathlib import Path
from typing import Any

from features.errors import PersonalizationError
from recommend.forgotten import Forgotten
from steps.descriptions.training_run import LOCAL, LocalInputs, Outputs
from steps.local.registry import LocalRegistry
from steps.provider.step import Context, Created, State
from steps.shared.child import Finished, clean_environment, end_orphan, run_child
from steps.shared.dataset_paths import located
from steps.shared.folders import StackFolder
from steps.shared.local_step import LocalStep
from steps.shared.model_versions import Earlier
from steps.shared.run_folder import OUTPUT, RunFolder, run_id
from steps.shared.training_streams import progress_shown, reason_in
from training.progress import Format
from training.request import TrainingRequest

REQUEST = "request.json"


class TrainingFailedError(PersonalizationError):
    """A training run ended without a bundle."""


class TrainingRun(LocalStep[LocalInputs, Outputs]):
    """Trains into `runs/<run id>`; a finished run is reused instead of repeated."""

    description = LOCAL

    def create(self, inputs: LocalInputs, context: Context) -> Created[Outputs]:
        """Train; raises `TrainingFailedError` with training's error message, or `StepCancelledError` after Ctrl-C."""
        folder = self.folder(inputs.stack)
        earlier = LocalRegistry(folder.registry).earlier(inputs.parameters)
        run = RunFolder(folder, run_id(inputs, earlier, Forgotten.load(folder.forgotten)))
        end_orphan(run.path)
        result = run.finished()
        if result is None:
            run.begin()
            result = _train(request(inputs, folder, earlier, run.path), run.path, context)
            run.keep(result)
            run.remove_interrupted()
        return Created(run.identity, run.outputs(result))

    def update(self, identity: str, old: State, inputs: LocalInputs, context: Context) -> Outputs:
        """Keep the model: the only possible change is that the same data comes from another place."""
        del inputs
        return self.read(identity, old, context) or self.known(old)

    def read(self, identity: str, state: State, context: Context) -> Outputs | None:
        """None if the run's result or its bundle is gone."""
        run = RunFolder(self.folder(state["stack"]), identity)
        return super().read(identity, state, context) if run.finished() else None

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Remove the run's folder; the registry has its own copy of a registered bundle."""
        del context
        RunFolder(self.folder(state["stack"]), identity).remove(state)


def request(inputs: LocalInputs, folder: StackFolder, earlier: Earlier, run: Path) -> TrainingRequest:
    """The request for `python -m training`, with its output in the folder `run`."""
    registry = LocalRegistry(folder.registry)
    champion, best = earlier.champion, earlier.best
    return TrainingRequest(
        dataset=located(inputs.dataset),
        training=inputs.parameters,
        gate=inputs.gate,
        data=folder.path / inputs.location,
        champion=registry.bundle(champion.bundle_hash) if champion else None,
        champion_version=champion.number if champion else None,
        best=registry.bundle(best.bundle_hash) if best else None,
        best_version=best.number if best else None,
        forgotten=folder.forgotten,
        output=run / OUTPUT,
        progress=Format.JSON,
        result=Format.JSON,
    )


def _train(wanted: TrainingRequest, run: Path, context: Context) -> dict[str, Any]:
    (run / REQUEST).write_text(wanted.model_dump_json(indent=2) + "\n")
    command = [sys.executable, "-m", "training", "--request", str(run / REQUEST)]
    finished = run_child(
        command, folder=run, environment=clean_environment(), on_line=progress_shown(context.report), context=context
    )
    if finished.code != 0:
        raise TrainingFailedError(reason_in(finished.error) or _silent_end(finished, run))
    result: dict[str, Any] = json.loads(finished.output)
    return result


def _silent_end(finished: Finished, run: Path) -> str:
    """The message for a run that ended without an error message: it was killed, by hand or because memory ran out."""
    return (
        f"Training ended with code {finished.code} and without a word. A negative code is the number of the signal "
        f"that ended it; 9 is most often a machine without enough memory. Its logs are in {run}."
    )
