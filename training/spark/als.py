"""Fits factors of items by Spark's alternating least squares for implicit feedback."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.ml.recommendation import ALS
from pyspark.sql import SparkSession

from recommend.first_stage import CONFIDENCE, DIMENSIONS, ItemFactors
from recommend.interactions import Interactions
from recommend.learning import FactorLearner, noise

ITERATIONS = 10
"""Spark's default: without checkpoints, which need storage that all nodes share, tasks need more stack for each."""


@dataclass(frozen=True, kw_only=True)
class SparkLeastSquares(FactorLearner):
    """By Spark's ALS."""

    session: SparkSession

    def fit(self, training: Interactions, regularisation: float) -> ItemFactors:
        """See `FactorLearner`.

        Spark multiplies its regularisation by the choices of each user and item, so the one that is wanted for all is
        divided by what the root of their product typically is.
        """
        chosen = training.matrix().tocoo()
        choices = [chosen.nnz / len(np.unique(numbers)) for numbers in (chosen.row, chosen.col)]
        weight = CONFIDENCE * noise(training) * regularisation / float(np.sqrt(np.prod(choices)))
        rated = {"user": chosen.row.astype(np.int32), "item": chosen.col.astype(np.int32), "rating": chosen.data}
        model = ALS(
            rank=DIMENSIONS,
            maxIter=ITERATIONS,
            regParam=weight,
            implicitPrefs=True,
            alpha=CONFIDENCE - 1,  # Spark counts a choice 1 + alpha times
            userCol="user",
            itemCol="item",
            seed=self.seed,
        ).fit(self.session.createDataFrame(pd.DataFrame(rated)))
        found = model.itemFactors.toPandas()
        factors = np.zeros((training.item_count, DIMENSIONS), np.float32)
        factors[found["id"].to_numpy()] = np.array(found["features"].tolist(), np.float32)
        return ItemFactors.rounded(factors, weight, of_each_choice=True)
