"""A training run as one document: the dataset, the parameters, the gate, and where everything lies.

The steps of a stack write it as JSON: on this machine for `python -m training --request FILE`, on Azure as the one
parameter of the Databricks job. People give options instead, which make the same document. Nothing here needs Spark.
"""

from pathlib import Path
from typing import Generic, TypeVar

from pydantic import Field

from training.parameters import Dataset, GateParameters, Parameters, SyntheticDataset, TrainingParameters
from training.progress import Format

PlaceT = TypeVar("PlaceT")


class TrainingRequest(Parameters, Generic[PlaceT]):
    """A run on local folders (`PlaceT` is `Path`), or on URLs in a data lake (`str`, `abfss://...`)."""

    dataset: Dataset = Field(default_factory=SyntheticDataset)
    """The training data."""
    training: TrainingParameters = Field(default_factory=TrainingParameters)
    """How the model is trained."""
    gate: GateParameters = Field(default_factory=GateParameters)
    """What the model must reach before it may serve."""
    data: PlaceT | None = None
    """Folder with a copy of the dataset; without it, the source is read."""
    champion: PlaceT | None = None
    """Bundle of the champion, to compare with on the same held-out rows."""
    champion_version: int | None = None
    """The champion's version number, for the report."""
    best: PlaceT | None = None
    """Bundle of the best version kept, to compare with too; only if the champion is another one."""
    best_version: int | None = None
    """The best version's number, for the report."""
    output: PlaceT | None = None
    """Folder for the bundle and the log; by default `runs/` and a hash of the inputs."""
    work: PlaceT | None = None
    """Folder for intermediate files; by default inside the output folder. Every machine of a cluster must see it."""
    progress: Format = Format.TEXT
    """Format of the progress reports on standard error."""
    result: Format = Format.TEXT
    """Format of the result on standard output."""


class LocalRequest(TrainingRequest[Path]):
    """A run on this machine."""


class LakeRequest(TrainingRequest[str]):
    """A run on a cluster, which can't see the dataset's source: everything lies in a data lake."""

    data: str
    manifest_hash: str
    """The hash of the dataset's manifest, 64 hexadecimal digits."""
    fetch: bool
    """Whether `data` is still empty. The run then fetches the dataset into it, for later runs too."""
    output: str
    work: str | None = None
    """A folder that every machine of a cluster with workers sees, `/Volumes/...`."""

    def with_copies(self, *, data: Path, champion: Path, best: Path, output: Path, work: Path) -> LocalRequest:
        """The same run on local copies."""
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
