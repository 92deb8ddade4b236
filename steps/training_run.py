"""Step 2: a candidate model, trained once for each set of inputs, whatever the gate's verdict.

Here it runs `python -m training` in its own process; on Azure a job on Databricks trains, and its bundle is downloaded
to this machine. The run's folder is named by a hash of everything that the model depends on.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure_clients import credentials
from azure_clients.databricks_runs import JobRuns, RunFailedError
from azure_clients.lake import LakeFolder, bring, lake_folder
from azure_clients.model_registry import AzureRegistry, Entry, versions_of
from azure_clients.model_versions import Earlier, Version
from azure_clients.resources import Lake, MachineLearning
from azure_clients.retries import Context
from azure_clients.snapshots import LakeSnapshots
from azure_clients.volumes import Volume
from features.bundle import REPORT, BundleError, is_whole
from features.errors import PersonalizationError
from features.files import write_whole
from recommend.forgotten import FILE as FORGOTTEN
from recommend.forgotten import NOBODY, Forgotten
from steps.child import Finished, clean_environment, end_orphan, run_child
from steps.data_upload import COMPLETE
from steps.datasets import is_placed, listing_in, located, require_unchanged
from steps.folders import StackFolder, claim, owns, release
from steps.registry_here import LocalRegistry
from steps.step import AzureStep, Created, Kind, Stack, State, Step, StepInputs, StepOutputs, after_failure
from training.parameters import Dataset, GateParameters, TrainingParameters
from training.progress import Format, progress_shown, reason_in
from training.request import LakeRequest, TrainingRequest

MODEL_INPUTS = frozenset({"manifest_hash", "parameters", "gate", "code_hash", "libraries"})
"""The inputs that determine the model."""
REQUEST = "request.json"
RESULT = "result.json"
PATHS = ("bundle", "report")
"""What in a result is a path."""
OUTPUT = "output"
"""The folder for training's output."""
BUNDLE = "bundle"
"""Folder of a run, in the lake and on this machine."""


class Inputs(StepInputs):
    """Everything that a model depends on, except for the champion that its gate compares it with."""

    registry: str
    dataset: Dataset
    location: str
    manifest_hash: str
    parameters: TrainingParameters
    gate: GateParameters
    code_hash: str
    libraries: dict[str, str]
    """The libraries' locked versions: another version makes another model."""


class LocalInputs(Inputs, Stack):
    """In its own process."""


class AzureInputs(Inputs, Stack, MachineLearning, Lake):
    """By a job on Databricks, with the registry for the champion."""

    databricks_url: str
    databricks_workspace_id: str
    job_id: str
    volumes: str
    """The folder with the stack's volumes on the cluster's machines, `/Volumes/...`."""


class Outputs(StepOutputs):
    """The bundle's path in the stack's folder, its hash, the results, and the proof of who owns the run's folder."""

    bundle: str
    bundle_hash: str
    verdict: dict[str, Any]
    metrics: dict[str, Any]
    report: str
    claim: str


class AzureOutputs(Outputs):
    """The bundle's address in the lake, and the URL of the run's page."""

    bundle_url: str
    run_url: str


class TrainingFailedError(PersonalizationError):
    """A training run ended without a bundle."""


class TrainingResultError(PersonalizationError):
    """A run succeeded without a result."""


def run_id(inputs: Inputs, earlier: Earlier, forgotten: Forgotten = NOBODY) -> str:
    """16 hexadecimal digits, different for each set of values that the run's bundle or verdict depends on.

    `forgotten` are the users whose rows it does not read.
    """
    fields = inputs.model_dump(mode="json", include=set(MODEL_INPUTS))
    champion = earlier.champion.bundle_hash if earlier.champion else None
    best = [earlier.best.bundle_hash] if earlier.best else []
    return hashlib.sha256(
        json.dumps([fields, champion, *best, *sorted(forgotten.users)], sort_keys=True).encode()
    ).hexdigest()[:16]


@dataclass(frozen=True)
class RunFolder:
    """The folder of the run `identity`."""

    stack: StackFolder
    identity: str

    @property
    def path(self) -> Path:
        """Its path."""
        return self.stack.runs / self.identity

    def begin(self) -> None:
        """Create it; files from which training can resume are kept."""
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / RESULT).unlink(missing_ok=True)

    def keep(self, result: dict[str, Any]) -> None:
        """Save the result, with paths relative to this folder; from now on the run is reused."""
        paths = {name: Path(result[name]).relative_to(self.path).as_posix() for name in PATHS}
        write_whole(self.path / RESULT, json.dumps(result | paths))

    def finished(self) -> dict[str, Any] | None:
        """The result, if there is one and its bundle is complete, else None."""
        try:
            result: dict[str, Any] = json.loads((self.path / RESULT).read_text())
            result |= {name: str(self.path / result[name]) for name in PATHS}
            return result if is_whole(Path(result["bundle"]), result["bundle_hash"]) else None
        except (OSError, ValueError, KeyError):
            return None

    def outputs(self, result: dict[str, Any]) -> Outputs:
        """The outputs of a finished run, for the resource that owns the folder from now on."""
        return Outputs(
            bundle=self.stack.relative(Path(result["bundle"])),
            bundle_hash=result["bundle_hash"],
            verdict=result["verdict"],
            metrics=result["metrics"],
            report=self.stack.relative(Path(result["report"])),
            claim=claim(self.path),
        )

    def remove_interrupted(self) -> None:
        """Remove what other runs left that never finished: it may have rows of users who were forgotten since."""
        for path in self.stack.runs.glob("[!.]*"):
            if path != self.path and not (path / RESULT).is_file():
                end_orphan(path)
                shutil.rmtree(path, ignore_errors=True)

    def remove(self, state: State) -> None:
        """Delete it, unless another resource owns it now; the registry has its own copies of bundles."""
        if owns(self.path, state["claim"]):
            end_orphan(self.path)
            shutil.rmtree(self.path, ignore_errors=True)
            release(self.path)


class TrainingRunHere(Step[LocalInputs, Outputs]):
    """Trains into `runs/<run id>`; a finished run is reused instead of repeated."""

    kind = Kind.TRAINING_RUN
    replaced_by = MODEL_INPUTS | {"stack"}

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
        return self.read(identity, old, context) or self.known(old)

    def exists(self, identity: str, state: State, context: Context) -> bool:
        """Whether the run's result and its bundle are there, which may be copied from the registry."""
        folder = self.folder(state["stack"])
        with suppress(BundleError):
            LocalRegistry(folder.registry).whole(state["bundle_hash"], at=folder.path / state["bundle"])
        return RunFolder(folder, identity).finished() is not None

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Remove the run's folder; the registry has its own copy of a registered bundle."""
        RunFolder(self.folder(state["stack"]), identity).remove(state)


class TrainingRunOnAzure(AzureStep[AzureInputs, AzureOutputs]):
    """Trains on Databricks into the folder `runs/<run id>` of the volume `models`; a successful run is reused."""

    kind = Kind.TRAINING_RUN
    replaced_by = MODEL_INPUTS | {"stack"}

    def create(self, inputs: AzureInputs, context: Context) -> Created[AzureOutputs]:
        """Train, unless it is done; raises `RunFailedError` with the task's error, or `AzureRefusedError`."""
        registered = {entry.number: entry for entry in AzureRegistry(inputs, context).list()}
        versions = versions_of(list(registered.values()), inputs, context)
        earlier = Earlier.among(versions, inputs.parameters)
        forgotten = LakeSnapshots(inputs, context).forgotten()
        identity = run_id(inputs, earlier, forgotten)
        run = RunFolder(self.folder(inputs.stack), identity)
        lake = LakeFolder(inputs, Volume.MODELS, f"runs/{identity}", context)
        request = self._request(inputs, earlier, registered, lake, context)
        client = credentials.databricks(inputs.tenant, inputs.databricks_url, inputs.databricks_workspace_id)
        runs = JobRuns(client, context, int(inputs.job_id))
        try:
            with self._unchanged(inputs, context):
                address = runs.succeed(identity, request, lambda: lake.read(RESULT) is not None)
        except RunFailedError as error:
            raise RunFailedError(f"{error}\n{after_failure('fix the cause')}") from error
        result = run.finished() or self._bring(run, lake)
        outputs = run.outputs(result).model_dump()
        return Created(identity, AzureOutputs(**outputs, bundle_url=f"{lake.url}/{BUNDLE}", run_url=address))

    def update(self, identity: str, old: State, inputs: AzureInputs, context: Context) -> AzureOutputs:
        """Same model, other location: it does not change."""
        return self.read(identity, old, context) or self.known(old)

    def exists(self, identity: str, state: State, context: Context) -> bool:
        """Whether its result is still in the lake. Files that are missing on this machine are downloaded again."""
        # It may hold settings of an earlier release, which this one lacks; where the result is does not depend on them.
        inputs = self.parse({**state, "parameters": {}, "gate": {}})
        lake = LakeFolder(inputs, Volume.MODELS, f"runs/{identity}", context)
        if lake.read(RESULT) is None:
            return False
        run = RunFolder(self.folder(inputs.stack), identity)
        if run.finished() is None:
            self._bring(run, lake)
        return True

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Delete the local copy. The files in the lake belong to the registry, whose versions refer to them."""
        RunFolder(self.folder(state["stack"]), identity).remove(state)

    def _request(
        self,
        inputs: AzureInputs,
        earlier: Earlier,
        registered: Mapping[int, Entry],
        lake: LakeFolder,
        context: Context,
    ) -> LakeRequest:
        """The run into `lake`, with paths on the cluster's machines."""
        raw = LakeFolder(inputs, Volume.RAW, inputs.manifest_hash, context)

        def bundle(version: Version) -> Path:
            return lake_folder(inputs, registered[version.number].bundle_url, context).on_cluster(inputs.volumes)

        snapshots = LakeSnapshots(inputs, context).on_cluster(inputs.volumes)
        return LakeRequest(
            **_what(inputs, earlier, bundle),
            data=raw.on_cluster(inputs.volumes),
            manifest_hash=inputs.manifest_hash,
            fetch=raw.read(COMPLETE) is None,
            forgotten=snapshots / FORGOTTEN,
            output=lake.on_cluster(inputs.volumes),
            work=Path(inputs.volumes) / Volume.WORK,
            snapshots=snapshots,
        )

    @contextmanager
    def _unchanged(self, inputs: AzureInputs, context: Context) -> Iterator[None]:
        """Raise `ChangedFileError` before or after the block if a file that the job reads in place is not as listed.

        An error in the block may come from such a change: then it is the cause.
        """
        if not is_placed(inputs.dataset):
            yield
            return
        raw = LakeFolder(inputs, Volume.RAW, inputs.manifest_hash, context)
        listing = listing_in(raw)
        require_unchanged(inputs.dataset, inputs.tenant, listing)
        try:
            yield
        except RunFailedError:
            require_unchanged(inputs.dataset, inputs.tenant, listing)
            raise
        require_unchanged(inputs.dataset, inputs.tenant, listing)

    def _bring(self, run: RunFolder, lake: LakeFolder) -> dict[str, Any]:
        """Download the result and its bundle, and check the bundle's hash."""
        content = lake.read(RESULT)
        if content is None:
            raise TrainingResultError(
                f"The training run succeeded, but {lake.url} contains no {RESULT}. Check that the volume `models` in "
                "Databricks lies on this storage account, then run `up` again."
            )
        result: dict[str, Any] = json.loads(content)
        run.path.mkdir(parents=True, exist_ok=True)
        bundle: Path = run.path / BUNDLE
        bring(lake.below(BUNDLE), bundle, result["bundle_hash"])
        result |= {"bundle": str(bundle), "report": str(bundle / REPORT)}
        run.keep(result)
        return result


def request(inputs: LocalInputs, folder: StackFolder, earlier: Earlier, run: Path) -> TrainingRequest:
    """The request for `python -m training`, with its output in the folder `run`."""
    registry = LocalRegistry(folder.registry)
    return TrainingRequest(
        **_what(inputs, earlier, lambda version: registry.whole(version.bundle_hash)),
        data=folder.path / inputs.location,
        forgotten=folder.forgotten,
        output=run / OUTPUT,
        progress=Format.JSON,
        result=Format.JSON,
    )


def _what(inputs: Inputs, earlier: Earlier, bundle: Callable[[Version], Path]) -> dict[str, Any]:
    """What is trained and compared, wherever: the fields of a request, with the bundles of earlier versions."""
    compared = {"champion": earlier.champion, "best": earlier.best}
    return {
        "dataset": located(inputs.dataset),
        "training": inputs.parameters,
        "gate": inputs.gate,
        **{name: version and bundle(version) for name, version in compared.items()},
        **{f"{name}_version": version and version.number for name, version in compared.items()},
    }


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
