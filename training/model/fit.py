"""SynapseML's LightGBM on the encoded rows, with early stopping on the validation rows and live progress."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import numpy as np
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from synapse.ml.lightgbm import LightGBMClassificationModel, LightGBMClassifier

from features.schema import Schema
from training.metrics.evaluate import LABEL, PROBABILITY
from training.model.calibrate import Scaling, fit_scaling, scaled
from training.parameters import Calibration, TrainingParameters
from training.preparation.encode import FEATURES
from training.preparation.split import PART, Part
from training.preparation.vectors import vectors
from training.progress import Progress, background
from training.spark.executors import all_needed, slots_of_each
from training.spark.identifiers import column
from training.spark.log import Follower

STAGE = "fit"
_IS_VALIDATION = "_is_validation"
MICRO_BATCH_ROWS = 2_000
"""Rows that SynapseML hands to LightGBM at a time: the fastest of those measured."""
BIN_SAMPLE_ROWS = 50_000
"""Rows, the first ones, by which LightGBM lays out a feature's 255 bins. SynapseML's own way is to draw from the first
200,000, and the fewer the more rows there are: 58,000 of a million, 900 of 45 million."""
REFIT_ROWS = 200_000
"""Up to so many rows the validation rows are too many to lose: once they have told how many trees are best, the model
is fitted again on all rows. On 10,000 real rows that is worth 0.001 of log loss; on a million it would be noise."""
_VALIDATION_LOSS = re.compile(r"Valid binary_logloss=(\S+)")


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A fitted model: as a Spark transformer, and as LightGBM's own text.

    `losses` is the validation log loss after each iteration, empty where the executors' log is out of reach; `scaling`
    what its probabilities were corrected by; `importance` the total gain of each encoded feature.
    """

    transformer: LightGBMClassificationModel
    text: str
    best_iteration: int
    losses: tuple[float, ...]
    scaling: Scaling | None
    importance: dict[str, float]


def fit(
    train: DataFrame, schema: Schema, parameters: TrainingParameters, *, rows: int, log: Path, progress: Progress
) -> Fitted:
    """Fit on the `rows` encoded rows of the parts fit and validation, whose inputs are vectors; `log` is the local
    session's log."""
    losses = _Losses(log, parameters.num_iterations, progress)
    is_validation = F.col(PART) == Part.VALIDATION.value
    label = column(schema.label).cast("double").alias(schema.label)
    inputs = train.select(F.col(FEATURES), label, is_validation.alias(_IS_VALIDATION))
    classifier = _classifier(schema, parameters, train).setValidationIndicatorCol(_IS_VALIDATION)
    spark, scaling = train.sparkSession.sparkContext, None
    with progress.stage(STAGE, "hand the rows to LightGBM"), background(losses.read), all_needed(spark):
        transformer = classifier.fit(inputs)
    losses.read()
    trees = lightgbm.Booster(model_str=transformer.getNativeModel()).num_trees()
    if parameters.calibration is Calibration.AUTO:
        with progress.stage(STAGE, "compare the probabilities of the validation rows with their clicks"):
            scaling = _scaling(train.where(is_validation), schema, transformer)
    if rows <= REFIT_ROWS:
        again = _classifier(schema, parameters, train).setNumIterations(trees).setEarlyStoppingRound(0)
        with progress.stage(STAGE, f"fit {trees} trees again, on the validation rows too"), all_needed(spark):
            transformer = again.fit(inputs.drop(_IS_VALIDATION))
    text = transformer.getNativeModel()
    if scaling is not None:
        text = scaled(text, scaling)
        transformer = LightGBMClassificationModel.loadNativeModelFromString(text).setFeaturesCol(FEATURES)
    booster = lightgbm.Booster(model_str=text)
    gains = booster.feature_importance("gain").tolist()
    return Fitted(
        transformer=transformer,
        text=text,
        best_iteration=trees,
        losses=tuple(losses.values),
        scaling=scaling,
        importance=dict(zip(schema.encoded_features, gains, strict=True)),
    )


def score(
    encoded: DataFrame, schema: Schema, transformer: LightGBMClassificationModel, *, extra: Sequence[str] = ()
) -> DataFrame:
    """`label`, `probability` (double) and the columns `extra` of encoded rows, by the fitted `transformer`."""
    inputs = encoded.select(vectors(encoded, FEATURES), column(schema.label).alias(LABEL), *extra)
    scored: DataFrame = transformer.transform(inputs)
    return scored.select(LABEL, vector_to_array(F.col(PROBABILITY))[1].alias(PROBABILITY), *extra)


def _scaling(validation: DataFrame, schema: Schema, transformer: LightGBMClassificationModel) -> Scaling | None:
    """What the validation rows, `MAX_VALIDATION_ROWS` at most, say of a model that was not fitted on them."""
    table = score(validation, schema, transformer).toPandas()
    return fit_scaling(table[LABEL].to_numpy(np.int32), table[PROBABILITY].to_numpy(np.float64))


def _classifier(schema: Schema, parameters: TrainingParameters, train: DataFrame) -> LightGBMClassifier:
    spark = train.sparkSession.sparkContext
    return LightGBMClassifier(
        featuresCol=FEATURES,
        labelCol=schema.label,
        objective="binary",
        metric="binary_logloss",
        numLeaves=parameters.num_leaves,
        numIterations=parameters.num_iterations,
        learningRate=parameters.learning_rate,
        featureFraction=parameters.feature_fraction,
        minDataInLeaf=parameters.min_data_in_leaf,
        lambdaL2=parameters.lambda_l2,
        # With 0, SynapseML 1.1.3 stops at the first iteration that is no better.
        earlyStoppingRound=parameters.early_stopping_rounds or parameters.num_iterations,
        seed=parameters.seed,
        deterministic=True,
        passThroughArgs=" ".join(
            [
                # LightGBM would otherwise time both histogram layouts and take the faster one, which differs between
                # runs.
                "force_row_wise=true",
                # SynapseML 1.1.3 has a parameter for it, but does not hand it on.
                f"feature_fraction_bynode={parameters.feature_fraction_by_node}",
            ]
        ),
        slotNames=_slot_names(schema),
        matrixType="dense",
        useSingleDatasetMode=True,
        # All tasks must run at once. SynapseML would take every executor to have all cores of the machine that it is
        # on, and the tasks that found a slot would wait for the others without end.
        numTasks=min(spark.defaultParallelism, train.rdd.getNumPartitions()),
        numThreads=slots_of_each(spark),
        samplingMode="fixed",
        binSampleCount=BIN_SAMPLE_ROWS,
        microBatchSize=MICRO_BATCH_ROWS,
        verbosity=-1,
    )


def _slot_names(schema: Schema) -> list[str]:
    """The inputs' names in the model file, where only the order counts: LightGBM takes no JSON and no name twice."""
    names: list[str] = []
    for index, name in enumerate(schema.encoded_features):
        plain = re.sub(r"[^A-Za-z0-9_.]", "_", name)
        names.append(plain if plain not in names else f"{plain}_{index}")
    return names


class _Losses:
    """The validation log losses in SynapseML's log, reported as they come."""

    def __init__(self, log: Path, iterations: int, progress: Progress) -> None:
        self.values: list[float] = []
        self._follower = Follower(log)
        self._iterations = iterations
        self._progress = progress
        self._first_seen = (0.0, 0)

    def read(self) -> None:
        """Report the iteration that training has reached, if it is another one."""
        before = len(self.values)
        matches = (_VALIDATION_LOSS.search(line) for line in self._follower.lines())
        self.values += [float(match.group(1)) for match in matches if match]
        done = len(self.values)
        if done == before:
            return
        now = time.monotonic()
        if before == 0:
            self._first_seen = (now, done)
        started, counted = self._first_seen
        left = (now - started) / (done - counted) * (self._iterations - done) if done > counted else None
        self._progress(
            STAGE,
            f"iteration {done} of {self._iterations}, validation log loss {self.values[-1]:.4f}",
            done=done,
            total=self._iterations,
            seconds_left=left,
        )
