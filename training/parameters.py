"""Every parameter of a training run, for the stack's settings and the options of `python -m training`."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(gt=0, lt=1)]


class Parameters(BaseModel):
    """A frozen group of parameters that refuses unknown names."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=(), allow_inf_nan=False
    )


class FilmsDataset(Parameters):
    """Invented users, films and views, of which the best reachable AUC and NDCG are known."""

    kind: Literal["films"] = "films"
    users: int = Field(default=1_500, ge=100, le=20_000)
    """Number of users to generate."""
    films: int = Field(default=500, ge=50, le=5_000)
    """Number of films to generate."""
    seed: int = Field(default=42, ge=0)
    """The same seed gives the same rows."""


class CriteoDataset(Parameters):
    """Criteo's own tab-separated rows."""

    kind: Literal["criteo"]
    path: str = Field(min_length=1, examples=["train.txt", "day_0.gz", "sample"])
    """A file (plain or gzip) or a folder of such files, here or in Azure Storage, or `sample` or `full` for what Criteo
    published."""
    days: int = Field(default=0, ge=0)
    """How many of a folder's files to train on, the latest by name, one file per day; 0 for all of them."""


class TablesDataset(Parameters):
    """Your own interactions, users and items, joined on declared keys."""

    kind: Literal["tables"]
    spec: Path = Field(examples=["examples/tables/dataset.yaml"])
    """The dataset config: a YAML file that names tables, keys, label and columns. `init-data` writes a draft."""


Dataset = Annotated[FilmsDataset | CriteoDataset | TablesDataset, Field(discriminator="kind")]


class Split(StrEnum):
    """How the held-out rows are chosen."""

    RANDOM = "random"
    TIME = "time"


class Calibration(StrEnum):
    """Whether a model's probabilities are calibrated after the fit."""

    AUTO = "auto"
    NONE = "none"


class EngineName(StrEnum):
    """What processes the rows of a training run."""

    AUTO = "auto"
    LOCAL = "local"
    SPARK = "spark"


FEWEST_FEATURES = 3
"""A tree of one feature can't learn how two of them go together, and a share of few features may be one."""


class TrainingParameters(Parameters):
    """How a model is trained. Where a default differs from the reference architecture's, it was measured to be better.

    The reference architecture's 50 trees at a rate of 0.1, each on 0.8 of the features, take as long as 100 trees on
    0.4, and are worse (docs/explanation/decisions.md). It does not set `lambda_l2`, which lowered the log loss by 0.002
    on 10,000 real rows.
    """

    num_leaves: int = Field(default=32, ge=2, le=4096)
    """Leaves per tree."""
    num_iterations: int = Field(default=100, ge=1, le=10_000)
    """The most trees to train; early stopping may use fewer."""
    learning_rate: float = Field(default=0.08, gt=0, le=1)
    """Shrinkage applied to each tree."""
    feature_fraction: float = Field(default=0.4, gt=0, le=1)
    """Share of the features that each tree may use; at least three."""
    feature_fraction_by_node: float = Field(default=1.0, gt=0, le=1)
    """Share of the tree's features that each split may use."""
    min_data_in_leaf: int = Field(default=20, ge=1)
    """The fewest rows that a leaf may have."""
    lambda_l2: float = Field(default=10.0, ge=0)
    """L2 regularisation of the leaf values."""
    early_stopping_rounds: int = Field(default=10, ge=0)
    """Stop after this many iterations without a better validation loss; 0 never stops early."""
    averaged_models: int = Field(default=3, ge=1, le=50)
    """Where there are 50,000 training rows or fewer, fit so many models, each of which draws other features, and serve
    their mean. A request then goes through as many times the trees."""
    calibration: Calibration = Calibration.AUTO
    """Correct the probabilities by Platt scaling if the validation rows show a gain beyond chance, or never."""
    split: Split = Split.RANDOM
    """Hold out rows at random (`random`), or the latest ones by the dataset's timestamp (`time`)."""
    train_fraction: Fraction = 0.8
    """Share of the rows to train on; the rest is held out for evaluation."""
    validation_fraction: Fraction = 0.1
    """Share of the training rows that is set aside for early stopping."""
    folds: int = Field(default=5, ge=2, le=64)
    """Folds of the out-of-fold target encoding."""
    min_category_rows: int = Field(default=10, ge=1)
    """Categories seen in fewer rows than this are pooled with the other rare ones of their column, where those are 100
    or more."""
    smoothing: float = Field(default=20.0, ge=0)
    """How many rows at the column's average rate are mixed into each category's target rate."""
    seed: int = Field(default=42, ge=0)
    """The same seed, data and cluster shape give the same model."""
    engine: EngineName = EngineName.AUTO
    """Train in this machine's own processes (`local`), or on Spark, where SynapseML fits as in the reference; `auto` is
    Spark on a cluster, `local` elsewhere."""
    memory_gib: int = Field(default=6, ge=1)
    """What engine local may use of this machine's memory: it runs as many processes as have room in it."""
    driver_memory_gib: int = Field(default=4, ge=1)
    """Heap of the local Spark driver, in GiB; a cluster has its own setting."""

    def of_features(self, number: int) -> Self:
        """The same for so many features, of which each tree may use `FEWEST_FEATURES` at least."""
        least = min(FEWEST_FEATURES, number) / number
        return self.model_copy(update={"feature_fraction": max(self.feature_fraction, least)})

    def hold_out_what_was_held_out(self, earlier: Mapping[str, Any]) -> bool:
        """Whether rows may be held out here on which a model with the hyperparameters `earlier` cannot have trained.

        In a random split a row's side depends on its hash, the seed and the share, so a model that trained on a smaller
        share of the same split has seen no held-out row. A split by time holds out all rows from some time on.
        `training.evaluation.gate` compares what is hashed, and these times.
        """
        if earlier.get("split") != self.split:
            return False
        if self.split is Split.TIME:
            return True
        return earlier.get("seed") == self.seed and earlier.get("train_fraction", 1.0) <= self.train_fraction


class GateParameters(Parameters):
    """What a candidate must reach before it may serve."""

    min_auc: float = Field(default=0.6, ge=0, le=1)
    """Lowest accepted AUC on the held-out rows."""
    max_calibration_error: float = Field(default=0.05, ge=0, le=1)
    """Highest accepted expected calibration error."""
    min_log_loss_gain: float = 0.0
    """How much lower the log loss must be than that of each baseline."""
    max_log_loss_rise: float = Field(default=0.002, ge=0)
    """How much higher the log loss may be than the champion's, and than that of the best version kept, on the same
    held-out rows. A rise by less than two standard errors of the paired difference is never too much."""
