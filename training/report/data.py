"""The contents of a report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recommend.judgement import Judgement
from training.evaluation.gate import Judged
from training.kernels.split import Part
from training.parameters import GateParameters, TrainingParameters
from training.report.examples import ExampleList


@dataclass(frozen=True, kw_only=True)
class ColumnSummary:
    """One column: its share of missing values from 0 to 1, and its distinct values if they were counted.

    If a field can have several values, they are separated by `separator`.
    """

    name: str
    role: str
    missing_share: float
    distinct: int | None = None
    separator: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReportData(Judged):
    """Everything on the page. It does not depend on when or where the model was trained."""

    dataset: str
    """The manifest's description of the dataset."""
    importance: Mapping[str, float]
    """The gain of each encoded feature."""
    rows: str
    """What was read of the interactions, and dropped, in a sentence; "" where nothing is joined."""
    counts: Mapping[Part, int]
    clicks: Mapping[Part, int]
    """The rows of each part of the split, and how many of them were clicked."""
    columns: Sequence[ColumnSummary]
    parameters: TrainingParameters
    gate: GateParameters
    versions: Mapping[str, str]
    """The versions of the libraries."""
    hashes: Mapping[str, str]
    """The hashes of the inputs ("manifest", "code")."""
    recommender: Judgement | None = None
    """The judgement on the recommender, if the dataset has users and items."""
    examples: Sequence[ExampleList] = ()
    """What it recommends to made-up people."""


@dataclass(frozen=True, kw_only=True)
class RecommenderReport:
    """Everything on the page of a run that trained a recommender alone; the fields mean the same as in `ReportData`."""

    dataset: str
    rows: str
    counted: Mapping[str, int]
    """How many users, items and choices there are, by what they are called."""
    recommender: Judgement
    examples: Sequence[ExampleList] = ()
    parameters: TrainingParameters
    versions: Mapping[str, str]
    hashes: Mapping[str, str]
