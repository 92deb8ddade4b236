"""The kernel gives back the memory that it takes."""

from collections.abc import Callable
from itertools import count, cycle, islice
from pathlib import Path

import lightgbm
import numpy as np
import psutil
import pytest

from features.schema import Schema
from scoring.engines.forest import open_forest
from scoring.model.encoding import RowEncoder
from scoring.model.records import Values
from tests.scoring.unit.test_encoding import make_encoder
from tests.support.kernels import built_kernel

SCHEMA = Schema(
    numeric=("n",),
    categorical=("user", "genres", "words"),
    separators={"genres": "|", "words": " "},
    crosses=(("user", "genres"), ("words", "user")),
)
ROUNDS = 100
GROWTH_BYTES = 8 << 20
"""An allocator keeps some freed memory; `ROUNDS` times what one request takes is far more."""


def grown(work: Callable[[], object]) -> int:
    """By how many bytes this process grows in `ROUNDS` calls of `work`, after some that don't count."""
    for _ in range(20):
        work()
    before = psutil.Process().memory_info().rss
    for _ in range(ROUNDS):
        work()
    return int(psutil.Process().memory_info().rss - before)


def long_field(seed: int, separator: str) -> str:
    return separator.join(str(number) for number in np.random.default_rng(seed).integers(0, 10**6, 1500))


@pytest.fixture(scope="module")
def encoder() -> RowEncoder:
    known: dict[str, str | float | None] = {"n": 1.0, "user": "u1", "genres": "drama|comedy", "words": "a b"}
    return RowEncoder(SCHEMA, make_encoder(SCHEMA, [known], 0), built_kernel())


@pytest.mark.parametrize("missing", [False, True], ids=["with", "without"])
def test_columns_of_several_values_and_their_crosses_leak_nothing(encoder: RowEncoder, *, missing: bool) -> None:
    rows: list[Values] = [
        (float(seed), None if missing else f"u{seed}", long_field(seed, "|"), long_field(seed, " "))
        for seed in range(8)
    ]
    assert grown(lambda: encoder.encode(rows)) < GROWTH_BYTES


def test_integers_that_stand_for_texts_leak_nothing(encoder: RowEncoder) -> None:
    fresh = count(10**12)  # new objects each time: those that live on anyway would hide a leak

    def encode() -> None:
        encoder.encode([(0.0, next(fresh), next(fresh), "a") for _ in range(4000)])

    assert grown(encode) < GROWTH_BYTES


def test_refused_rows_leak_nothing(encoder: RowEncoder) -> None:
    rows: list[Values] = list(islice(cycle([(1.0, "u", long_field(0, "|"), long_field(1, " "))]), 8))

    def refuse() -> None:
        with pytest.raises(TypeError):
            encoder.encode([*rows, (1.0, b"no text", "", "")])  # type: ignore[list-item]  # what the test is about

    assert grown(refuse) < GROWTH_BYTES


def test_prepared_tables_are_freed_with_their_encoder() -> None:
    kernel = built_kernel()
    texts: list[dict[str, str | float | None]] = [
        {"n": 1.0, "user": str(number), "genres": "", "words": ""} for number in range(20_000)
    ]
    reference = make_encoder(SCHEMA, texts, 0)
    assert grown(lambda: RowEncoder(SCHEMA, reference, kernel)) < GROWTH_BYTES


def test_predictions_leak_nothing(tmp_path: Path) -> None:
    features, kernel, model = 2_000, built_kernel(), tmp_path / "model.txt"
    inputs = np.random.default_rng(0).normal(size=(50, features))
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1}
    lightgbm.train(settings, lightgbm.Dataset(inputs, inputs[:, 0] > 0), num_boost_round=2).save_model(model)
    forest = open_forest(model, features, kernel)
    assert grown(lambda: kernel.predict(forest, np.ones((16, features)))) < GROWTH_BYTES


def test_prepared_trees_are_freed_with_their_model() -> None:
    kernel = built_kernel()

    def prepare() -> None:
        kernel.prepare_forest(1, 1.0, *(np.ones(20_000) for _ in range(6)))

    assert grown(prepare) < GROWTH_BYTES
