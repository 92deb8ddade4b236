"""Registered model versions, the same in every registry: number, tags, and whether the version may serve."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from features.bundle import Metadata
from features.errors import PersonalizationError
from training.parameters import TrainingParameters

MODEL = "ctr"
NORMALIZED = "normalized_entropy"
"""The metric by which versions that were trained on different data can be ranked."""
INDEX = "versions.json"
"""The list of saved versions, beside the folders with their bundles, `version-NUMBER`."""
LATEST = "latest"
"""Requests the candidate, or the newest accepted version if the gate rejected it, instead of a version by number."""
IMPORTED = "imported"
"""The tag of a version that was imported, with any value."""
TO_DO = "Change the data or the parameters, or the `gate` settings; the report is {}."


class NoSuchVersionError(PersonalizationError):
    """There is no version with this number."""


class GateFailedError(PersonalizationError):
    """The gate rejected the candidate, so it may not serve."""


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A registered model version, as far as every registry tells without its bundle.

    `accepted` is the gate's verdict, `champion` whether it serves. One that was `imported` is another stack's.
    """

    number: int
    bundle_hash: str
    accepted: bool
    champion: bool
    imported: bool
    registered: datetime


RegisteredT = TypeVar("RegisteredT", bound=Registered)


@dataclass(frozen=True, kw_only=True)
class Version(Registered):
    """A registered model version with what its bundle tells."""

    manifest_hash: str
    code_hash: str
    reasons: tuple[str, ...]
    metrics: dict[str, Any]
    hyperparameters: dict[str, Any]
    dataset_hash: str = ""

    @classmethod
    def of(cls, number: int, tags: Mapping[str, str], *, champion: bool, registered: datetime) -> Self:
        """The version with these tags, which `tags_of` made."""
        return cls(
            number=number,
            bundle_hash=tags["bundle_hash"],
            manifest_hash=tags["manifest_hash"],
            code_hash=tags["code_hash"],
            accepted=json.loads(tags["accepted"]),
            reasons=tuple(json.loads(tags["reasons"])),
            champion=champion,
            imported=IMPORTED in tags,
            registered=registered,
            metrics=json.loads(tags["metrics"]),
            hyperparameters=json.loads(tags["hyperparameters"]),
            dataset_hash=tags.get("dataset_hash", ""),
        )

    def instead(self, versions: Iterable["Version"], report: Path) -> tuple["Version", str]:
        """The version to serve if this candidate is the latest, and why it isn't the candidate; else an empty text.

        It is the newest version that the gate accepted and that this stack trained. `report` is the candidate's.
        Raises `GateFailedError` if there is none.
        """
        if self.accepted:
            return self, ""
        newest = newest_accepted(versions)
        serving = f"Version {newest.number} serves." if newest else "There is no other one to serve."
        refusal = f"{self._rejected} {serving} {TO_DO.format(report)}"
        if newest is None:
            raise GateFailedError(refusal)
        return newest, refusal

    def require_accepted(self, report: Path) -> None:
        """Raise `GateFailedError`, with the path of `report`, if the gate rejected this version."""
        if not self.accepted:
            raise GateFailedError(f"{self._rejected} What served before still serves. {TO_DO.format(report)}")

    @property
    def _rejected(self) -> str:
        return f"The gate rejected model version {self.number}: {' '.join(self.reasons)}"


def tags_of(bundle_hash: str, metadata: Metadata) -> dict[str, str]:
    """The tags from which `Version.of` makes the bundle's version."""
    # MLflow limits the length of a tag; the segments are in the bundle.
    short = {name: value for name, value in metadata.metrics.items() if name not in {"slices", "keys"}}
    return {
        **short_tags(bundle_hash, metadata),
        "reasons": json.dumps(metadata.verdict.reasons),
        "hyperparameters": json.dumps(metadata.hyperparameters, sort_keys=True),
        "metrics": msgspec.json.encode(short).decode(),
    }


def short_tags(bundle_hash: str, metadata: Metadata) -> dict[str, str]:
    """The tags of a bundle that are a hash, a word or a number, which every registry accepts."""
    scalars = {name: value for name, value in metadata.metrics.items() if isinstance(value, int | float)}
    return {
        "bundle_hash": bundle_hash,
        "manifest_hash": metadata.manifest_hash,
        "dataset_hash": metadata.dataset_hash,
        "code_hash": metadata.code_hash,
        "accepted": json.dumps(metadata.verdict.accepted),
        **{f"metric.{name}": str(value) for name, value in scalars.items()},
    }


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """The versions that a candidate is compared with: the champion, and the best version kept where that is another."""

    champion: Version | None
    best: Version | None

    @classmethod
    def among(cls, versions: Sequence[Version], parameters: TrainingParameters) -> Self:
        """The two among all versions of a registry, for a candidate with these parameters."""
        champion = next((version for version in versions if version.champion), None)
        best = _best(versions, parameters)
        return cls(champion=champion, best=None if best == champion else best)


def _best(versions: Sequence[Version], parameters: TrainingParameters) -> Version | None:
    """The accepted version that was best on its own held-out rows, of those that have not seen this candidate's.

    One that an earlier run could not compare, because the dataset has lost its columns, is passed over.
    """
    runs = (version.metrics.get("best_kept") or {} for version in versions)
    lost = {run.get("version") for run in runs if run.get("not_comparable")}
    comparable = (
        version
        for version in versions
        if version.accepted
        and version.number not in lost
        and NORMALIZED in version.metrics
        and parameters.hold_out_what_was_held_out(version.hyperparameters)
    )
    return min(comparable, key=lambda version: float(version.metrics[NORMALIZED]), default=None)


def newest_accepted(versions: Iterable[RegisteredT]) -> RegisteredT | None:
    """The newest version that the gate accepted and that this stack trained: `latest`, if no candidate is."""
    own = [version for version in versions if version.accepted and not version.imported]
    return max(own, key=lambda version: version.number, default=None)


def keeping_snapshots(versions: Collection[Registered], serving: int) -> set[str] | None:
    """The bundles' hashes of the versions that keep their snapshots once `serving` is the champion.

    These are that version, the champion before it, and the newest accepted one, which `serve latest` serves. None if
    all keep theirs, because the champion is the same or the first. Raises `NoSuchVersionError`.
    """
    now = find(versions, serving)
    former = next((version for version in versions if version.champion), None)
    if former is None or former.number == now.number:
        return None
    return {version.bundle_hash for version in (now, former, newest_accepted(versions)) if version is not None}


def find(versions: Iterable[RegisteredT], number: int) -> RegisteredT:
    """The version `number`; raises `NoSuchVersionError`."""
    known = {version.number: version for version in versions}
    if number not in known:
        numbers = ", ".join(str(found) for found in sorted(known)) or "none yet"
        raise NoSuchVersionError(f"There is no model version {number}; registered are: {numbers}.")
    return known[number]
