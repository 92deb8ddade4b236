"""A training run as one document: the dataset, the parameters, the gate, and where everything lies.

The steps of a stack write it as JSON: on this machine for `python -m training --request FILE`, on Azure as the one
parameter of the Databricks job. People give options instead, which make the same document. Nothing here needs Spark.
"""

from functools import cached_property
from pathlib import Path

from pydantic import Field

from recommend.forgotten import NOBODY, Forgotten
from training.parameters import Dataset, FilmsDataset, GateParameters, Parameters, TrainingParameters
from training.progress import Format


class TrainingRequest(Parameters):
    """A run on this machine, or on a cluster whose machines all see the folders."""

    dataset: Dataset = Field(default_factory=FilmsDataset)
    """The training data."""
    training: TrainingParameters = Field(default_factory=TrainingParameters)
    """How the model is trained."""
    gate: GateParameters = Field(default_factory=GateParameters)
    """What the model must reach before it may serve."""
    data: Path | None = None
    """Folder with a copy of the dataset; without it, the source is read."""
    champion: Path | None = None
    """Bundle of the champion, to compare with on the same held-out rows."""
    champion_version: int | None = None
    """The champion's version number, for the report."""
    best: Path | None = None
    """Bundle of the best version kept, to compare with too; only if the champion is another one."""
    best_version: int | None = None
    """The best version's number, for the report."""
    output: Path | None = None
    """Folder for the bundle and the log; by default `runs/` and a hash of the inputs."""
    forgotten: Path | None = None
    """File with the users whose rows are not read; by default all rows are."""
    work: Path | None = None
    """Folder for intermediate files; by default inside the output folder. Every machine of a cluster must see it."""
    progress: Format = Format.TEXT
    """Format of the progress reports on standard error."""
    result: Format = Format.TEXT
    """Format of the result on standard output."""

    @cached_property
    def passed_over(self) -> Forgotten:
        """The users whose rows are not read, the same from the first look on. Raises `SnapshotError`."""
        return NOBODY if self.forgotten is None else Forgotten.load(self.forgotten)

    def forgotten_meanwhile(self) -> Forgotten:
        """The list of these users if it has changed since it was first read, else nobody. Raises `SnapshotError`."""
        now = NOBODY if self.forgotten is None else Forgotten.load(self.forgotten)
        return NOBODY if now == self.passed_over else now


class LakeRequest(TrainingRequest):
    """A run on a cluster, which can't see the dataset's source: all folders are on volumes, `/Volumes/...`."""

    data: Path
    manifest_hash: str
    """The hash of the dataset's manifest, 64 hexadecimal digits."""
    fetch: bool
    """Whether `data` is still empty. The run then fetches the dataset into it, for later runs too."""
    output: Path
    work: Path
    """The volume for intermediate files; the run makes its own folder in it."""
    snapshots: Path | None = None
    """The folder for users' histories and the catalogue, from which the service's pods read; by default for none."""
