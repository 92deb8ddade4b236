"""Step 3: registers the candidate as a new version, or selects the version that the settings request."""

import json
from pathlib import Path
from typing import Any

from azure_clients.lake import bring, lake_folder
from azure_clients.model_registry import RUN, AzureRegistry, Entry, version_of, versions_of
from azure_clients.model_versions import LATEST, Version, find
from azure_clients.resources import Lake, MachineLearning
from azure_clients.retries import AzureRefusedError, Context
from azure_clients.snapshots import LakeSnapshots
from features.bundle import GOLDEN, METADATA, REPORT, is_whole
from features.files import write_private
from recommend.published import RECORD, Published, decode
from recommend.recommender import METRIC
from steps.folders import StackFolder
from steps.registry_here import LocalRegistry, bundle_folder
from steps.snapshots_here import LocalSnapshots
from steps.step import AzureStep, Created, Kind, Stack, State, Step, StepInputs, StepOutputs, after_failure


class Inputs(StepInputs):
    """A candidate by its bundle's hash; and `latest`, or the number of an older version to serve instead."""

    registry: str
    bundle_hash: str
    requested: str


class LocalInputs(Inputs, Stack):
    """In MLflow's registry, with the bundle in the stack's folder."""

    bundle: str


class AzureInputs(Inputs, Stack, MachineLearning, Lake):
    """In Azure ML, with the bundle in the lake, since another machine may have trained it, and its lineage."""

    bundle_url: str
    data_url: str
    run_url: str


class Outputs(StepOutputs):
    """The version to serve, its bundle's hash, the metrics of its evaluation, and the path of its report.

    `refusal` is the reason if it is not the candidate, because the gate rejected that; else empty.
    """

    version: int
    served_hash: str
    metrics: dict[str, Any]
    report: str
    refusal: str


class AzureOutputs(Outputs):
    """Its bundle in the lake."""

    served_url: str


class ModelVersionHere(Step[LocalInputs, Outputs]):
    """Registers the candidate. Versions belong to the registry, so deleting this resource deletes none."""

    kind = Kind.MODEL_VERSION
    replaced_by = frozenset({"stack", "bundle_hash", "requested"})

    def create(self, inputs: LocalInputs, context: Context) -> Created[Outputs]:
        """Register or look up the version, and publish its snapshots once it may serve.

        Raises `GateFailedError` or `NoSuchVersionError`.
        """
        folder = self.folder(inputs.stack)
        registry = LocalRegistry(folder.registry)
        if inputs.requested == LATEST:
            context.report("registering the candidate")
            candidate = registry.register(registry.whole(inputs.bundle_hash, source=folder.path / inputs.bundle))
            version, refusal = candidate.instead(registry.list(), registry.bundle(candidate.bundle_hash) / REPORT)
        else:
            version, refusal = registry.get(int(inputs.requested)), ""
        bundle = registry.whole(version.bundle_hash)
        version.require_accepted(bundle / REPORT)
        if METRIC in version.metrics:
            champion = registry.get_champion()
            output = (folder.path / inputs.bundle).parent if version.bundle_hash == inputs.bundle_hash else None
            LocalSnapshots(folder).publish(bundle, None if champion is None else champion.bundle_hash, output)
        return Created(str(version.number), Outputs(**_outputs(folder, version, bundle, refusal)))

    def exists(self, identity: str, state: State, context: Context) -> bool:
        """Whether the registry is there, and the version's bundle is whole."""
        registry = LocalRegistry(self.folder(state["stack"]).registry)
        return registry.exists and is_whole(registry.bundle(state["served_hash"]), state["served_hash"])


class ModelVersionOnAzure(AzureStep[AzureInputs, AzureOutputs]):
    """Registers the candidate. Deleting this resource deletes no version: the registry owns them."""

    kind = Kind.MODEL_VERSION
    replaced_by = frozenset({"stack", "workspace", "bundle_hash", "requested"})

    def create(self, inputs: AzureInputs, context: Context) -> Created[AzureOutputs]:
        """Register or find the version, and publish its snapshots once it may serve.

        Raises `GateFailedError`, `NoSuchVersionError` or `AzureRefusedError`.
        """
        folder = self.folder(inputs.stack)
        registry = AzureRegistry(inputs, context)
        entry, refusal = self._entry(inputs, registry, context)
        kept = self._brought(inputs, entry.bundle_url, entry.bundle_hash, context)
        version = version_of(entry, (kept / METADATA).read_bytes())
        version.require_accepted(kept / REPORT)
        if METRIC in version.metrics:
            serving = registry.champion()
            made = self._made(inputs, context) if version.bundle_hash == inputs.bundle_hash else None
            snapshots = LakeSnapshots(inputs, context)
            snapshots.publish(kept, None if serving is None else serving.bundle_hash, made)
        outputs = _outputs(folder, version, kept, refusal)
        return Created(str(entry.number), AzureOutputs(**outputs, served_url=entry.bundle_url))

    def update(self, identity: str, old: State, inputs: AzureInputs, context: Context) -> AzureOutputs:
        """Same bundle, other run or location: its version does not change."""
        return self.known(old)

    def exists(self, identity: str, state: State, context: Context) -> bool:
        """Whether the registry has it."""
        return any(str(entry.number) == identity for entry in AzureRegistry(self.parse(state), context).list())

    def _entry(self, inputs: AzureInputs, registry: AzureRegistry, context: Context) -> tuple[Entry, str]:
        """The version to serve, and why it is not the candidate."""
        if inputs.requested != LATEST:
            return registry.get(int(inputs.requested)), ""
        kept = self._brought(inputs, inputs.bundle_url, inputs.bundle_hash, context)
        context.report("registering the candidate in Azure ML")
        lineage = {"data": inputs.data_url, RUN: inputs.run_url}
        try:
            entry = registry.register(kept, inputs.bundle_url, lineage)
        except AzureRefusedError as error:
            cause = f"correct what the message names in the Azure ML workspace {inputs.workspace}"
            raise AzureRefusedError(f"{error}\n{after_failure(cause)}") from error
        candidate = version_of(entry, (kept / METADATA).read_bytes())
        if candidate.accepted:
            return entry, ""
        LakeSnapshots(inputs, context).discard(self._made(inputs, context))
        entries = registry.list()
        version, refusal = candidate.instead(versions_of(entries, inputs, context), kept / REPORT)
        return find(entries, version.number), refusal

    def _brought(self, inputs: AzureInputs, url: str, bundle_hash: str, context: Context) -> Path:
        """The bundle at this address of the lake on this machine, checked."""
        kept = bundle_folder(self.folder(inputs.stack).registry, bundle_hash)
        bring(lake_folder(inputs, url, context), kept, bundle_hash)
        return kept

    def _made(self, inputs: AzureInputs, context: Context) -> Published:
        """The snapshots that the candidate's run has made."""
        run = lake_folder(inputs, inputs.bundle_url.rpartition("/")[0], context)
        record = run.read(RECORD)
        return {} if record is None else decode(record)


def _outputs(folder: StackFolder, version: Version, bundle: Path, refusal: str) -> dict[str, Any]:
    """What the step outputs of a version, wherever it is; its example is written."""
    write_example(folder, bundle)
    report = folder.relative(bundle / REPORT)
    return {
        "version": version.number,
        "served_hash": version.bundle_hash,
        "metrics": version.metrics,
        "report": report,
        "refusal": refusal,
    }


def write_example(folder: StackFolder, bundle: Path) -> None:
    """Write the first golden record of `bundle` to the stack's folder: a held-out record for trying the service.

    A bundle that only recommends has none, and an earlier one is removed.
    """
    if not (bundle / GOLDEN).exists():
        folder.example.unlink(missing_ok=True)
        return
    with (bundle / GOLDEN).open(encoding="utf-8") as lines:
        record = json.loads(next(lines))["record"]
    write_private(folder.example, json.dumps(record, indent=2) + "\n")
