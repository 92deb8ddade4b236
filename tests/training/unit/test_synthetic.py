"""Synthetic data is reproducible, has Criteo's columns, and is as hard as intended."""

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import csv
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from features.schema import CRITEO
from tests.support.synthetic_rows import Rows, encoded, rows
from training.datasets.generated import recipe, synthetic, synthetic_files
from training.parameters import SyntheticDataset


@pytest.fixture(scope="module")
def sample() -> Rows:
    return rows(200_000)


def shown(count: int, *, seed: int = 42) -> pd.DataFrame:
    """The first block's rows as a user sees them."""
    frame: pd.DataFrame = synthetic.record_batch(synthetic.generate(0, rows=count, seed=seed)).to_pandas()
    categorical = list(CRITEO.categorical)
    return frame.assign(**{name: frame[name].fillna("") for name in categorical})


def test_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    assert shown(2_000).equals(shown(2_000))
    assert not shown(2_000).equals(shown(2_000, seed=43))


def test_a_longer_dataset_starts_with_the_rows_of_a_shorter_one() -> None:
    pd.testing.assert_frame_equal(shown(2_000), shown(60_000).head(2_000))


def test_blocks_are_different_and_hold_every_row() -> None:
    blocks = [synthetic.generate(index, rows=120_000, seed=1) for index in range(synthetic.blocks(120_000))]
    assert [len(block.label) for block in blocks] == [50_000, 50_000, 20_000]
    assert not np.array_equal(blocks[0].codes[:20_000], blocks[2].codes)


def test_rows_have_criteos_columns_in_criteos_order() -> None:
    batch = synthetic.record_batch(synthetic.generate(0, rows=1_000, seed=42))
    assert batch.schema.names == [CRITEO.label, *CRITEO.features]
    digits = batch.column("cat02").drop_null()
    assert set("".join(digits.to_pylist())) <= set("0123456789abcdef")
    assert {len(value) for value in digits.to_pylist()} == {8}


def test_files_hold_the_generated_rows_whatever_their_number(tmp_path: Path) -> None:
    dataset = SyntheticDataset(rows=120_000, seed=3)
    reports = []
    synthetic_files.materialize(dataset, tmp_path / "data", lambda *said, **done: reports.append((said, done)))
    files = sorted((tmp_path / "data").glob("dt=all/part-*.tsv"))
    names = [CRITEO.label, *CRITEO.features]
    parse = csv.ParseOptions(delimiter="\t")
    convert = csv.ConvertOptions(column_types={name: pa.string() for name in CRITEO.categorical})
    table = pa.concat_tables(
        csv.read_csv(file, csv.ReadOptions(column_names=names), parse, convert) for file in files
    ).to_pandas()
    expected = rows(120_000, seed=3)
    assert np.array_equal(table["label"], expected.label)
    assert np.array_equal(table["int00"], expected.numeric[:, 0], equal_nan=True)
    visible = table.fillna(dict.fromkeys(CRITEO.categorical, ""))
    assert np.allclose(synthetic.true_probability(visible), expected.probability, atol=1e-12)
    assert reports[-1][1] == {"done": 120_000, "total": 120_000}


def test_the_probability_follows_from_what_a_row_shows() -> None:
    block = synthetic.generate(0, rows=5_000, seed=9)
    expected = recipe.probability(block.numeric, block.codes, block.missing)
    batch = synthetic.record_batch(block)
    frame = batch.to_pandas()
    columns = {name: frame[name].fillna("") if name in CRITEO.categorical else frame[name] for name in CRITEO.features}
    assert np.array_equal(synthetic.true_probability(columns), expected)


def test_labels_are_drawn_with_their_probability(sample: Rows) -> None:
    order = np.argsort(sample.probability)
    for part in np.array_split(order, 20):
        expected = sample.probability[part].mean()
        spread = np.sqrt(expected * (1 - expected) / len(part))
        assert abs(sample.label[part].mean() - expected) < 4.5 * spread


def test_base_rate_is_like_criteos(sample: Rows) -> None:
    assert 0.20 <= sample.label.mean() <= 0.25


def test_best_reachable_auc_is_like_that_of_real_clicks(sample: Rows) -> None:
    assert 0.78 <= roc_auc_score(sample.label, sample.probability) <= 0.82


def test_at_least_half_of_the_logit_comes_from_categories(sample: Rows) -> None:
    categorical = recipe.categorical_logit(sample.codes, sample.missing)
    whole = categorical + recipe.numeric_logit(sample.numeric, sample.codes)
    explained = np.corrcoef(categorical, whole)[0, 1] ** 2
    assert categorical.var() / whole.var() >= 0.5
    assert explained >= 0.5


@pytest.mark.slow
@pytest.mark.full
def test_a_million_rows_have_columns_of_over_100_000_values() -> None:
    seen = [np.zeros(0, dtype=np.uint32) for _ in range(3)]
    for index in range(synthetic.blocks(1_000_000)):
        codes = synthetic.generate(index, rows=1_000_000, seed=42).codes
        seen = [np.union1d(values, codes[:, column]) for values, column in zip(seen, (2, 11, 20), strict=True)]
    assert all(len(values) > 100_000 for values in seen)


@pytest.mark.parametrize("column", [0, 11])
def test_a_missing_number_means_something(sample: Rows, column: int) -> None:
    absent = np.isnan(sample.numeric[:, column])
    assert abs(sample.label[absent].mean() - sample.label[~absent].mean()) > 0.02


def test_a_missing_category_means_something(sample: Rows) -> None:
    absent = sample.missing[:, 24]
    assert abs(sample.label[absent].mean() - sample.label[~absent].mean()) > 0.02


def test_columns_act_together(sample: Rows) -> None:
    """The effect of a number depends on a category, so no sum of one-column effects describes it."""
    odd = sample.codes[:, 8] % 2 == 1
    size = sample.numeric[:, 5]
    large = size > np.nanmedian(size)

    def effect(rows: npt.NDArray[Any]) -> float:
        known = rows & ~np.isnan(size)
        return float(sample.label[known & large].mean() - sample.label[known & ~large].mean())

    assert abs(effect(odd) - effect(~odd)) > 0.05


@pytest.mark.slow
@pytest.mark.full
def test_logistic_regression_stays_below_the_best(sample: Rows) -> None:
    """Even with logarithms of the numbers, which the baseline of a training run does not take."""
    train = np.arange(len(sample.label)) < 160_000
    features = encoded(sample, train)
    numbers = np.nan_to_num(features[:, :13])
    features[:, :13] = np.sign(numbers) * np.log1p(np.abs(numbers))
    features = StandardScaler().fit(features[train]).transform(features)
    model = LogisticRegression(max_iter=300).fit(features[train][:60_000], sample.label[train][:60_000])
    reached = roc_auc_score(sample.label[~train], model.predict_proba(features[~train])[:, 1])
    assert roc_auc_score(sample.label[~train], sample.probability[~train]) - reached >= 0.02


@pytest.mark.full
def test_boosted_trees_come_within_002_of_the_best_at_a_million_rows() -> None:
    """With the default parameters of a training run: 50 trees of 32 leaves."""
    data = rows(1_000_000)
    train = np.arange(len(data.label)) < 800_000
    features = encoded(data, train)
    settings = {"objective": "binary", "num_leaves": 32, "learning_rate": 0.1, "feature_fraction": 0.8, "verbose": -1}
    model = lightgbm.train(settings, lightgbm.Dataset(features[train], data.label[train]), 50)
    reached = roc_auc_score(data.label[~train], model.predict(features[~train]))
    assert 0 <= roc_auc_score(data.label[~train], data.probability[~train]) - reached <= 0.02
