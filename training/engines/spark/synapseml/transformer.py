"""The model as a SynapseML transformer, by which golden records are scored."""

from functools import partial

import numpy as np
import numpy.typing as npt
from pyspark.ml.linalg import Vectors
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from synapse.ml.lightgbm import LightGBMClassificationModel

from training.engines.spark.interruptible import interruptible
from training.kernels.columns import FEATURES
from training.model.fitted import Predict

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
