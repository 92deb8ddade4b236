"""Writes a run's bundle aside, seals it, and moves it into place once it is complete."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
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
from features.reference import FILE as REFERENCE
from features.reference import Reference
from features.schema import Schema
from recommend.recommender import FOLDER as RECOMMENDER
from recommend.recommender import Recommender
from training.datasets.manifest import Manifest
from training.parameters import TrainingParameters
from training.protocols import TrainingEngine
from training.stages.provenance import library_versions, training_code_hash

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
        (folder / REFERENCE).write_bytes(self.reference.to_json())
        self.encoder.save(folder)


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """A new folder that replaces `target` if the block ends without an error, and is removed otherwise."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield aside
        publish(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def publish(folder: Path, target: Path) -> None:
    """Rename `folder` to `target`; a former `target` is removed only once the new one is in place."""
    folder.chmod(0o755)
    if not target.exists():
        folder.rename(target)
        return
    former = Path(mkdtemp(prefix=f".{target.name}-former-", dir=target.parent)) / target.name
    target.rename(former)
    try:
        folder.rename(target)
    except OSError:
        former.rename(target)
        raise
    finally:
        shutil.rmtree(former.parent, ignore_errors=True)


def metadata_of(
    engine: TrainingEngine,
    manifest: Manifest,
    parameters: TrainingParameters,
    *,
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
    )


def write_bundle(
    target: Path,
    *,
    schema: Schema,
    metadata: Metadata,
    clicks: ClickParts | None,
    recommender: Recommender | None,
    write_report: Callable[[Path], None],
) -> str:
    """Write a bundle to the folder `target` and return its hash. After a failure nothing is left there."""
    with written_aside(target) as folder:
        (folder / SCHEMA).write_bytes(schema.to_json())
        (folder / METADATA).write_bytes(msgspec.json.format(msgspec.json.encode(metadata), indent=2) + b"\n")
        if clicks is not None:
            clicks.save(folder)
        if recommender is not None:
            recommender.save(folder / RECOMMENDER, seed=metadata.seed)
        write_report(folder / REPORT)
        return seal(folder)
