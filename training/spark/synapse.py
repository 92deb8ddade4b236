"""SynapseML's LightGBM on the encoded rows, with early stopping and live progress, and the model as a transformer."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pyspark.ml.linalg import Vectors
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from synapse.ml.lightgbm import LightGBMClassificationModel, LightGBMClassifier

from features.schema import Schema
from training.kernels.columns import FEATURES, LABEL, PART
from training.kernels.split import PARTS, Part
from training.model.calibrate import PlattScaling, fit_scaling, scaled
from training.model.fitted import STAGE, FitProgress, Fitted, Predict, refitting, seeds_of_refits, slot_names
from training.model.native import lightgbm
from training.model.trees import mean_of
from training.parameters import Calibration, TrainingParameters
from training.progress import Progress, background
from training.spark.failure import all_needed, slots_of_each
from training.spark.scans import interruptible
from training.spark.session import Follower

_IS_VALIDATION = "_is_validation"
MICRO_BATCH_ROWS = 2_000
"""Rows that SynapseML passes to LightGBM at a time; the fastest of the measured sizes."""
BIN_SAMPLE_ROWS = 50_000
"""The first rows, from which LightGBM derives a feature's 255 bins. SynapseML's default samples from the first 200,000,
and fewer the more rows there are: 58,000 for a million, 900 for 45 million."""
_VALIDATION_LOSS = re.compile(r"Valid binary_logloss=(\S+)")


def fit(
    train: DataFrame, schema: Schema, parameters: TrainingParameters, *, rows: int, log: Path, progress: Progress
) -> Fitted:
    """Fit on the `rows` encoded rows of the parts fit and validation; `log` is the local session's log."""
    parameters = parameters.of_features(len(schema.encoded_features))
    follower, watching = Follower(log), FitProgress(progress, parameters.num_iterations)

    def read_losses() -> None:
        """Report the validation losses that SynapseML has logged since the last call."""
        matches = (_VALIDATION_LOSS.search(line) for line in follower.lines())
        watching(*(float(match.group(1)) for match in matches if match))

    is_validation = F.col(PART) == PARTS.index(Part.VALIDATION)
    inputs = train.select(FEATURES, F.col(LABEL).cast("double").alias(LABEL), is_validation.alias(_IS_VALIDATION))
    classifier = _classifier(schema, parameters, train).setValidationIndicatorCol(_IS_VALIDATION)
    spark, scaling = train.sparkSession.sparkContext, None
    with progress.stage(STAGE, "hand the rows to LightGBM"), background(read_losses), all_needed(spark):
        transformer = classifier.fit(inputs)
    read_losses()
    trees = lightgbm.Booster(model_str=transformer.getNativeModel()).num_trees()
    if parameters.calibration is Calibration.AUTO:
        with progress.stage(STAGE, "compare the probabilities of the validation rows with their clicks"):
            scaling = _scaling(train.where(is_validation), transformer)
    text = transformer.getNativeModel()
    if seeds := seeds_of_refits(parameters, rows=rows):
        again = _classifier(schema, parameters, train).setNumIterations(trees).setEarlyStoppingRound(0)
        with progress.stage(STAGE, refitting(trees, seeds)), all_needed(spark):
            every = inputs.drop(_IS_VALIDATION)
            text = mean_of([again.setSeed(seed).fit(every).getNativeModel() for seed in seeds])
    if scaling is not None:
        text = scaled(text, scaling)
    booster = lightgbm.Booster(model_str=text)
    gains = booster.feature_importance("gain").tolist()
    return Fitted(
        text=text,
        predict=predicting(text, train.sparkSession),
        best_iteration=trees,
        scaling=scaling,
        importance=dict(zip(schema.encoded_features, gains, strict=True)),
    )


def _scaling(validation: DataFrame, transformer: LightGBMClassificationModel) -> PlattScaling | None:
    """Platt scaling fitted on the validation rows, at most `MAX_VALIDATION_ROWS`, which the model has not seen."""
    scored = transformer.transform(validation.select(FEATURES, LABEL))
    label, probability = probabilities(scored, beside=LABEL)
    return fit_scaling(label.astype(np.int32), probability)


def _classifier(schema: Schema, parameters: TrainingParameters, train: DataFrame) -> LightGBMClassifier:
    spark = train.sparkSession.sparkContext
    return LightGBMClassifier(
        featuresCol=FEATURES,
        labelCol=LABEL,
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
                # Otherwise LightGBM times both histogram layouts and takes the faster one, which differs between runs.
                "force_row_wise=true",
                # SynapseML 1.1.3 has a parameter for it, but does not pass it on.
                f"feature_fraction_bynode={parameters.feature_fraction_by_node}",
            ]
        ),
        slotNames=slot_names(schema),
        matrixType="dense",
        useSingleDatasetMode=True,
        # All tasks must run at once. SynapseML would assume that every executor has all cores of its machine, and the
        # tasks that found a slot would wait for the others forever.
        numTasks=min(spark.defaultParallelism, train.rdd.getNumPartitions()),
        numThreads=slots_of_each(spark),
        samplingMode="fixed",
        binSampleCount=BIN_SAMPLE_ROWS,
        microBatchSize=MICRO_BATCH_ROWS,
        verbosity=-1,
    )


PROBABILITY = "probability"
"""The column of a transformer's probabilities."""


def predicting(model: str, spark: SparkSession) -> Predict:
    """The prediction function of SynapseML's transformer for LightGBM's text `model`."""
    transformer = LightGBMClassificationModel.loadNativeModelFromString(model).setFeaturesCol(FEATURES)
    return partial(_predict, spark=spark, transformer=transformer)


def _predict(
    inputs: npt.NDArray[np.float64], *, spark: SparkSession, transformer: LightGBMClassificationModel
) -> npt.NDArray[np.float64]:
    """The transformer's probabilities, float64[n], for a few inputs, float64[n, m]."""
    numbered = enumerate(inputs.tolist())
    frame = spark.createDataFrame([(index, Vectors.dense(row)) for index, row in numbered], ["index", FEATURES])
    place, probability = probabilities(transformer.transform(frame), beside="index")
    return probability[np.argsort(place)]


def probabilities(scored: DataFrame, *, beside: str) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.float64]]:
    """The column `beside` of scored rows, and their probabilities, [n] each, on the driver."""
    from pyspark.ml.functions import vector_to_array  # noqa: PLC0415 - imports pandas, which no worker needs

    wanted = scored.select(beside, vector_to_array(F.col(PROBABILITY))[1].alias(PROBABILITY))
    table = interruptible(wanted, DataFrame.toPandas)
    return table[beside].to_numpy(), table[PROBABILITY].to_numpy(np.float64)
