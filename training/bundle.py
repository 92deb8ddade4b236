"""Writes a run's bundle aside, seals it, and moves it into place once it is complete."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from features.bundle import (
    BUNDLE_FORMAT,
    GOLDEN,
    METADATA,
    MODEL,
    REPORT,
    SCHEMA,
    GoldenRecord,
    HeldOut,
    Metadata,
    Verdict,
    seal,
)
from features.encoder import Encoder
from features.files import remove, written_aside
from features.reference import FILE as REFERENCE
from features.reference import Reference
from features.schema import Schema
from recommend.recommender import FOLDER as RECOMMENDER
from recommend.recommender import Recommender
from training.config import TablesSpec, meaning
from training.datasets.manifest import Manifest
from training.parameters import Dataset, TrainingParameters
from training.protocols import TrainingEngine
from training.provenance import library_versions, training_code_hash
from training.report.data import RecommenderReport, ReportData
from training.result import Result

NOT_OF_THE_MODEL = {"driver_memory_gib", "memory_gib"}
"""Parameters that affect the run but not the model, and so are not in the bundle."""


@dataclass(frozen=True, kw_only=True)
class ClickParts:
    """The click model as a bundle stores it."""

    trees: str
    encoder: Encoder
    golden: Iterable[GoldenRecord]
    reference: Reference

    def save(self, folder: Path) -> None:
        """Write the files into the bundle's `folder`."""
        (folder / MODEL).write_text(self.trees, encoding="utf-8")
        (folder / GOLDEN).write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in self.golden))
        (folder / REFERENCE).write_bytes(msgspec.json.encode(self.reference))
        self.encoder.save(folder)


def metadata_of(
    engine: TrainingEngine,
    manifest: Manifest,
    parameters: TrainingParameters,
    *,
    dataset_hash: str,
    metrics: dict[str, Any],
    verdict: Verdict,
    held_out: HeldOut | None = None,
) -> Metadata:
    """The metadata of a bundle that this code makes by `engine` from the manifest's data."""
    return Metadata(
        bundle_format=BUNDLE_FORMAT,
        manifest_hash=manifest.hash,
        code_hash=training_code_hash(),
        seed=parameters.seed,
        hyperparameters=parameters.model_dump(mode="json", exclude=NOT_OF_THE_MODEL),
        library_versions=library_versions() | dict(engine.libraries),
        metrics=metrics,
        verdict=verdict,
        held_out=held_out,
        dataset_hash=dataset_hash,
    )


def dataset_hash_of(spec: TablesSpec, dataset: Dataset) -> str:
    """64 hexadecimal digits for a dataset config, the same wherever and whatever its rows are; or for what makes the
    rows, or the name of their file.
    """
    said = meaning(spec, {table: Path(table) for table in spec.sources})
    content = json.dumps([said, dataset.model_dump(mode="json", exclude={"spec"})], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def write_bundle(
    target: Path,
    *,
    schema: Schema,
    metadata: Metadata,
    clicks: ClickParts | None,
    recommender: Recommender | None,
    shown: ReportData | RecommenderReport,
    rows: dict[str, int],
    seconds: dict[str, float],
    counted: Mapping[str, int],
) -> Result:
    """Write a bundle to the folder `target`, in place of a former one. After a failure nothing has changed there.

    `shown` is what its report shows, `rows` counts the rows by part of the split, and `counted` users and items.
    """
    from training.report import page  # noqa: PLC0415 - Matplotlib takes a second; wrong data is reported before

    target.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(target) as folder:
        folder.mkdir()
        (folder / SCHEMA).write_bytes(schema.to_json())
        (folder / METADATA).write_bytes(msgspec.json.format(msgspec.json.encode(metadata), indent=2) + b"\n")
        if clicks is not None:
            clicks.save(folder)
        if recommender is not None:
            recommender.save(folder / RECOMMENDER, seed=metadata.seed)
        (folder / REPORT).write_text(page.render(shown), encoding="utf-8")
        bundle_hash = seal(folder)
        remove(target)
    return Result(
        metrics=metadata.metrics,
        bundle=str(target),
        bundle_hash=bundle_hash,
        verdict=metadata.verdict,
        report=str(target / REPORT),
        rows=rows,
        seconds=seconds,
        counted=counted,
        examples=shown.examples,
    )
