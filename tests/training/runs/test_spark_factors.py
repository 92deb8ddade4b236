"""Factors by Spark's ALS: new users are solved as Spark solves known ones, and they rank as engine local's do."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pyspark.ml.recommendation import ALS
from pyspark.sql import SparkSession

from recommend import splits
from recommend.first_stage import ItemFactors
from recommend.learning import AlternatingLeastSquares
from recommend.metrics import evaluate, popularity
from training.datasets.generated import film_files
from training.parameters import FilmsDataset
from training.spark.als import SparkLeastSquares
from training.tables.interactions import read_chosen

pytestmark = [pytest.mark.spark, pytest.mark.full]

SAME_NDCG = 0.02
"""Of 300 users; both regularise alike on average, but Spark does it more for those who chose more."""


def test_a_history_is_solved_as_spark_solves_its_own_users(spark: SparkSession) -> None:
    chance = np.random.default_rng(2)
    chosen = chance.random((40, 25)) < 0.2
    users, chosen_items = np.nonzero(chosen)
    rows = spark.createDataFrame(pd.DataFrame({"user": users, "item": chosen_items, "rating": 1.0}))
    model = ALS(
        rank=6, maxIter=3, regParam=0.1, implicitPrefs=True, alpha=3.0, userCol="user", itemCol="item", seed=1
    ).fit(rows)
    known, items = (
        {int(row.id): row.features for row in one.collect()} for one in (model.userFactors, model.itemFactors)
    )
    factors = np.array([items.get(item, [0.0] * 6) for item in range(chosen.shape[1])], np.float32)
    found = ItemFactors(factors=factors, regularisation=0.1, of_each_choice=True, confidence=4.0)
    assert len(known) == len(np.unique(users))
    for user, vector in known.items():
        expected = factors @ np.array(vector)
        assert found.scores(np.flatnonzero(chosen[user])).tolist() == pytest.approx(expected.tolist(), abs=1e-3)


def test_both_engines_learn_the_same_taste(spark: SparkSession) -> None:
    rows = read_chosen(film_files.spec_of(FilmsDataset(kind="films", users=300, films=100))).choices
    first = splits.by_user(rows, 1)
    training = rows.only(first)
    seen, test = training.matrix(), rows.only(~first).matrix()
    local, by_spark, popular = (
        evaluate(ranker, seen, test).ndcg
        for ranker in (
            AlternatingLeastSquares(seed=1).ranker(training, 0.7),
            SparkLeastSquares(session=spark, seed=1).ranker(training, 0.7),
            popularity(training),
        )
    )
    assert abs(local - by_spark) < SAME_NDCG
    assert min(local, by_spark) > popular + 2 * SAME_NDCG


def test_weaker_choices_count_less_for_spark(spark: SparkSession) -> None:
    rows = read_chosen(film_files.spec_of(FilmsDataset(kind="films", users=100, films=50))).choices
    rows = replace(rows, kinds=(np.arange(len(rows)) % 2).astype(np.int8))
    learner = SparkLeastSquares(session=spark, seed=1)
    alike, apart = (learner.fit(replace(rows, weaker=one), 0.7).factors for one in (1.0, 0.2))
    assert alike.shape == apart.shape
    assert not np.allclose(alike, apart, atol=0.01)
