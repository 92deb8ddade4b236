"""A worker detects drift of the scored records from the training data, and keeps little data for it."""

import gc
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from features.reference import Histogram, Reference
from features.schema import Schema
from scoring.model import model
from scoring.model.model import BATCH_ROWS, Watch

SCHEMA = Schema(numeric=("price",), categorical=("shop",))


def rows(count: int, *, mean: float = 0.0, seed: int = 0) -> tuple[npt.NDArray[Any], list[float]]:
    """Inputs float64[n, 3] with prices distributed normally around `mean`, and their probabilities."""
    generator = np.random.default_rng(seed)
    inputs = np.column_stack([generator.normal(mean, 1, count), generator.random(count), np.ones(count)])
    return inputs, (1 / (1 + np.exp(-inputs[:, 0]))).tolist()


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    monkeypatch.setattr(model, "BATCH_SECONDS", 0.0)
    inputs, probabilities = rows(20_000, seed=1)
    columns = {"price": Histogram.of(inputs[:, 0]), "shop": Histogram.of(inputs[:, 1])}
    return Watch(SCHEMA, Reference(prediction=Histogram.of(np.array(probabilities)), columns=columns))


def test_no_more_rows_are_kept_than_a_batch_needs(watch: Watch) -> None:
    inputs, probabilities = rows(100 * BATCH_ROWS)
    kept = weakref.ref(inputs)
    watch.see(inputs, probabilities)
    del inputs
    gc.collect()
    assert kept() is None
    compared = watch.compare()
    assert compared is not None
    assert compared[0] == BATCH_ROWS


def test_one_odd_batch_hardly_shows_among_many(watch: Watch) -> None:
    """It is a twentieth of the rows that the figures cover; if it were half of them, it would raise an alarm."""
    for seed in range(60):
        watch.see(*rows(BATCH_ROWS, seed=seed))
        watch.compare()
    watch.see(*rows(BATCH_ROWS, mean=1.0, seed=60))
    compared = watch.compare()
    assert compared is not None
    assert compared[1] < 0.03
