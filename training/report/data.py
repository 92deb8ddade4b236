"""What a report shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.bundle import Verdict
from training.evaluation.earlier import EarlierVersion
from training.evaluation.reachable import BestReachable
from training.metrics.evaluate import Evaluation
from training.metrics.slices import Slice
from training.parameters import GateParameters, TrainingParameters


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """Log loss of the validation rows after each iteration. `best_iteration` counts from 1."""

    validation: Sequence[float]
    best_iteration: int


@dataclass(frozen=True, kw_only=True)
class SplitSummary:
    """One part of the rows ("training", "validation", "held out")."""

    name: str
    rows: int
    clicks: int


@dataclass(frozen=True, kw_only=True)
class ColumnSummary:
    """One column: share of missing values from 0 to 1, and distinct values where they were counted.

    Where a field holds several values, `separator` stands between them, and `frequent` are the most frequent ones with
    the training rows that have them.
    """

    name: str
    role: str
    missing_share: float
    distinct: int | None
    separator: str | None = None
    frequent: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """Everything on the page. Nothing of it depends on when or where the model was trained."""

    dataset: str
    """What was trained on, in words: the manifest's description."""
    verdict: Verdict
    evaluation: Evaluation
    baselines: Mapping[str, Evaluation]
    champion: EarlierVersion | None
    best: EarlierVersion | None
    """The best version kept, where another one is the champion."""
    best_reachable: BestReachable | None
    slices: Sequence[Slice]
    warnings: Sequence[str]
    """Sentences about the data."""
    importance: Mapping[str, float]
    """Gain of each encoded feature."""
    learning_curve: LearningCurve
    splits: Sequence[SplitSummary]
    columns: Sequence[ColumnSummary]
    parameters: TrainingParameters
    gate: GateParameters
    versions: Mapping[str, str]
    """Libraries and their versions."""
    hashes: Mapping[str, str]
    """What identifies the inputs ("manifest", "code")."""
