"""Recommendations for all users of a stack on Azure, computed by a run on Databricks and fetched from the lake."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from batch.recommendations import (
    NO_HISTORIES,
    USERS_TOGETHER,
    NoRecommendationsError,
    OutputError,
    merge,
    require_few,
)
from batch.request import ENTRY_POINT, RESULT, BatchRequest
from features.errors import BadInputError
from infra.azure_settings import AzureSettings
from infra.cloud.names import names_of
from personalize.clients.azure_models import LOOK, AzureVersions, lake_of
from personalize.clients.job_runs import workspace_of
from personalize.errors import StackMissingError
from recommend import histories
from recommend.forgotten import FILE as FORGOTTEN
from steps.azure.libraries import send
from steps.azure.one_time_run import OneTimeRuns, Work
from steps.azure.stores.azure_registry import Entry
from steps.azure.stores.lake import LakeFolder, lake_folder
from steps.azure.stores.snapshots import LakeSnapshots
from steps.descriptions.places import Lake
from steps.provider.step import Context
from steps.shared.job_libraries import job_libraries
from steps.shared.model_versions import MODEL
from steps.shared.volumes import Volume, volumes_of
from training.parameters import Fit

FOLDER = "recommendations"
"""In the volume for intermediate files."""
PACKAGES = ("scoring", "batch")
"""In the run's wheel, beside those of training."""


@dataclass(frozen=True, kw_only=True)
class BatchRun:
    """The best `top` items for everybody with a history, by the version that serves."""

    stack: str
    azure: AzureSettings
    fit: Fit
    """The stack's, whose libraries are in the lake already."""
    serving: Entry
    top: int
    new: int

    def write(self, target: Path, report: Callable[[str], None]) -> int:
        """Write the same file as `batch.recommendations.Batch`, and return how many users are in it.

        `report` is told what happens. A run computes only what earlier ones have not left in the lake, which keeps
        nothing once `target` is complete. Raises `NoRecommendationsError`, `OutputError`, `AzureRefusedError`,
        `RunBusyError`, `RunFailedError` or `StackMissingError`.
        """
        require_few(self.top)
        volumes = volumes_of(names_of(self.stack, self.azure).catalog_object)
        libraries = job_libraries(volumes, self.fit, *PACKAGES)
        lake, context = lake_of(self.stack, self.azure), Context(report=report)
        request = self._request(lake, LakeSnapshots(lake, LOOK, context), volumes, libraries.own)
        parts = LakeFolder(lake, Volume.WORK, f"{FOLDER}/{request.output.name}", LOOK)
        if (result := _result(parts, context)) is None:
            send(libraries, lake, LOOK, context)
            work = Work(
                name=f"{FOLDER}-{request.output.name}",
                entry_point=ENTRY_POINT,
                requirements=libraries.requirements_path,
                request=request.model_dump_json(),
                run_as=self.azure.training_run_as,
            )
            self._run(work, context)
            result = _result(parts, context)
        if result is None:
            raise OutputError(f"The run left parts out in {parts.url}. Run the command again: it computes those alone.")
        try:
            with TemporaryDirectory(prefix=f".{target.name}.parts-", dir=target.parent) as temporary:
                parts.fetch(Path(temporary), context)
                merge([Path(temporary) / name for name in result["parts"]], target)
        except OSError as error:
            raise OutputError(
                f"{target} cannot be written: {error}. Free space or name another file, then run the command again: it "
                "fetches what was computed."
            ) from error
        LakeFolder(lake, Volume.WORK, FOLDER, LOOK).remove(context)
        return int(result["users"])

    def _request(self, lake: Lake, snapshots: LakeSnapshots, volumes: str, code: str) -> BatchRequest:
        """What the run does; the folder's name depends on everything in its files."""
        served = self.serving
        published = snapshots.of(served.bundle_hash)
        if histories.FILE not in published:
            raise NoRecommendationsError(NO_HISTORIES)
        files = (*sorted(published.items()), snapshots.forgotten().version)
        made_of = (served.bundle_hash, served.number, self.top, self.new, USERS_TOGETHER, files)
        identity = hashlib.sha256(repr((made_of, code)).encode()).hexdigest()[:16]
        return BatchRequest(
            bundle=lake_folder(lake, served.bundle_url, LOOK).on_cluster(volumes),
            snapshots=tuple(snapshots.on_cluster(volumes) / digest for digest in published.values()),
            forgotten=snapshots.on_cluster(volumes) / FORGOTTEN,
            model=MODEL,
            version=str(served.number),
            top=self.top,
            new=self.new,
            output=Path(volumes) / Volume.WORK / FOLDER / identity,
        )

    def _run(self, work: Work, context: Context) -> None:
        client = workspace_of(self.stack, self.azure)
        name = names_of(self.stack, self.azure).databricks
        job = next((found.job_id for found in client.jobs.list(name=name)), None) if client else None
        if client is None or job is None:
            raise StackMissingError(
                f"Stack {self.stack} has no training job, whose cluster the run copies. `.venv/bin/personalize up "
                f"--stack {self.stack}` creates it."
            )
        OneTimeRuns(client, context, LOOK, name="recommendation run").succeed(work, job)


def serving_on(stack: str, azure: AzureSettings) -> Entry | None:
    """The version that serves; raises `BadInputError` if clusters can't compute its recommendations."""
    if azure.training_binary_files:
        raise BadInputError(
            "With `azure.training_binary_files` the workers' Python can't read the lake, which `--on-databricks` "
            "needs. Leave it out: then this machine computes the file."
        )
    return AzureVersions(stack, azure).serving()


def _result(parts: LakeFolder, context: Context) -> dict[str, Any] | None:
    """What the finished runs left; None as long as a part is missing."""
    content = parts.read(RESULT, context)
    result: dict[str, Any] | None = None if content is None else json.loads(content)
    return result if result and set(result["parts"]) <= parts.names(context) else None
