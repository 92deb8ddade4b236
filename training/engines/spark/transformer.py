"""The model as Spark's own transformer, whoever fitted it: what golden records are scored by."""

from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.ml.functions import vector_to_array
from pyspark.ml.linalg import Vectors
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from synapse.ml.lightgbm import LightGBMClassificationModel

from training.kernels.columns import FEATURES
from training.model.fitted import Predict

PROBABILITY = "probability"
"""The column of a transformer's probabilities."""


def predicting(model: str, spark: SparkSession) -> Predict:
    """What SynapseML's transformer of LightGBM's text `model` says of inputs."""
    transformer = LightGBMClassificationModel.loadNativeModelFromString(model).setFeaturesCol(FEATURES)
    return partial(_predict, spark=spark, transformer=transformer)


def _predict(
    inputs: npt.NDArray[np.float64], *, spark: SparkSession, transformer: LightGBMClassificationModel
) -> npt.NDArray[np.float64]:
    """The probabilities float64[n] that Spark's own transformer gives a few inputs, float64[n, m]."""
    numbered = enumerate(inputs.tolist())
    frame = spark.createDataFrame([(index, Vectors.dense(row)) for index, row in numbered], ["index", FEATURES])
    table = probabilities(transformer.transform(frame), beside="index")
    return table.sort_values("index")[PROBABILITY].to_numpy(np.float64)


def probabilities(scored: DataFrame, *, beside: str) -> pd.DataFrame:
    """What a transformer has given rows, here, `beside` another column of theirs."""
    return scored.select(beside, vector_to_array(F.col(PROBABILITY))[1].alias(PROBABILITY)).toPandas()
