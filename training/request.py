"""A training run as one document: what is trained, how, what it must reach, and where everything lies.

Whoever wants a model writes one as JSON: a step of the stack on this machine for `python -m training --request FILE`, a
step on Azure as the one parameter of the job on Databricks. People give options instead, which make the same document.
Nothing here needs Spark.
"""

from pathlib import Path
from typing import Generic, TypeVar

from pydantic import Field

from training.parameters import Dataset, GateParameters, Parameters, SyntheticDataset, TrainingParameters
from training.progress import Format

PlaceT = TypeVar("PlaceT")


class TrainingRequest(Parameters, Generic[PlaceT]):
    """A run whose places are of one kind: folders of a machine (`Path`), or URLs of a lake (`str`, `abfss://...`)."""

    dataset: Dataset = Field(default_factory=SyntheticDataset)
    """What is trained on."""
    training: TrainingParameters = Field(default_factory=TrainingParameters)
    """How."""
    gate: GateParameters = Field(default_factory=GateParameters)
    """What the model must reach before it may serve."""
    data: PlaceT | None = None
    """Where the dataset lies already; else its source is read."""
    champion: PlaceT | None = None
    """The bundle that serves, to compare with on the same held-out rows."""
    champion_version: int | None = None
    best: PlaceT | None = None
    """The bundle of the best version kept, if another one serves, to compare with likewise."""
    best_version: int | None = None
    output: PlaceT | None = None
    """The run's folder, for bundle and log."""
    work: PlaceT | None = None
    """For intermediate files. Every machine of a cluster must see it, and `data`."""
    progress: Format = Format.TEXT
    """How the run says what it is doing, on standard error."""
    result: Format = Format.TEXT
    """How it says what came out, on standard output."""


class LocalRequest(TrainingRequest[Path]):
    """A run on this machine."""


class LakeRequest(TrainingRequest[str]):
    """A run on a cluster that can't look at the dataset's source: all of it is named, and lies in a lake."""

    data: str
    manifest_hash: str
    """Of what lies in `data`, 64 hexadecimal digits."""
    fetch: bool
    """Whether `data` is still empty: the run brings the dataset there, for the next run too."""
    output: str
    work: str | None = None
    """A folder that every machine of a cluster with workers sees, `/Volumes/...`."""

    def with_copies(self, *, data: Path, champion: Path, best: Path, output: Path, work: Path) -> LocalRequest:
        """The same run on copies of what lies in the lake."""
        return LocalRequest(
            dataset=self.dataset,
            training=self.training,
            gate=self.gate,
            data=data,
            champion=None if self.champion is None else champion,
            champion_version=self.champion_version,
            best=None if self.best is None else best,
            best_version=self.best_version,
            output=output,
            work=work,
        )
