"""Factors against the definition of each row's, with scikit-learn's own least squares."""

from collections import Counter
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from features.encoder import Encoder, Factors, RawRows
from features.hashing import hash_value, hash_values
from features.schema import Schema
from tests.support.prepared_rows import MemoryRows, prepared, with_columns
from training import pipeline
from training.kernels import factors
from training.kernels.columns import FOLD
from training.kernels.count import count
from training.kernels.encode import FoldEncoder, FrequentValues
from training.kernels.factors import FACTORS, RIDGE, SHRINKAGE, PairCounts, fit, pairs_counted
from training.local.counting import LocalCounts
from training.parameters import TrainingParameters
from training.pipeline import FactorsError, with_factors

FOLDS = 3
SCHEMA = Schema(numeric=(), categorical=("item", "city", "user"), factors=("user", "item"))
USER, ITEM = 2, 0
ROWS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("ABC"), st.booleans(), st.integers(0, FOLDS - 1)), max_size=40
)
Rows = list[tuple[str, str, bool, int]]
"""User, item, clicked, fold."""


def placed(users: str, items: str) -> Encoder:
    """An encoder with a place for these users and items, one letter each."""
    tables = [np.sort(np.array([hash_value(one) for one in values], dtype=np.int64)) for values in (items, "", users)]
    places = sum(map(len, tables))
    return Encoder(
        columns=SCHEMA.categories,
        offsets=np.cumsum([0, *map(len, tables)]),
        hashes=np.concatenate(tables),
        rates=np.zeros(places, dtype=np.float32),
        log_counts=np.zeros(places, dtype=np.float32),
        unseen=np.zeros((len(tables), 2), dtype=np.float32),
    )


def batch(rows: Rows) -> pa.RecordBatch:
    records = [{"user": user, "item": item, "city": "x"} for user, item, _, _ in rows]
    own = prepared(records, SCHEMA, label=[int(clicked) for _, _, clicked, _ in rows])
    return with_columns(own, **{FOLD: np.array([fold for *_, fold in rows], dtype=np.int32)})


@given(st.lists(ROWS, min_size=1, max_size=3))
@settings(max_examples=50)
def test_pairs_with_a_place_are_counted_by_fold_over_all_parts_of_the_rows(parts: list[Rows]) -> None:
    encoder = placed("abc", "AB")
    kernel = pairs_counted(encoder, SCHEMA, (USER, ITEM), folds=FOLDS)
    counted = PairCounts.of(MemoryRows(tuple(map(batch, parts))).scan(kernel), sizes=(3, 2))
    of_rank = {name: rank for values in ("abc", "AB") for rank, name in enumerate(sorted(values, key=hash_value))}
    kept = [row for rows in parts for row in rows if row[0] != "d" and row[1] != "C"]
    seen = Counter((of_rank[user], of_rank[item], fold) for user, item, _, fold in kept)
    clicks = Counter((of_rank[user], of_rank[item], fold) for user, item, clicked, fold in kept if clicked)
    found = zip(counted.first.tolist(), counted.second.tolist(), counted.fold.tolist(), strict=True)
    assert list(found) == sorted(seen)
    assert counted.rows.tolist() == [seen[key] for key in sorted(seen)]
    assert counted.clicks.tolist() == [clicks[key] for key in sorted(seen)]


def drawn(seed: int, *, rows: int = 400, users: int = 9, items: int = 7) -> PairCounts:
    """Random pairs, each with several rows in some folds."""
    random = np.random.default_rng(seed)
    pair = np.sort(random.choice(users * items * FOLDS, rows // 4, replace=False))
    seen = random.integers(1, 6, len(pair))
    return PairCounts(
        first=pair // FOLDS // items,
        second=pair // FOLDS % items,
        fold=pair % FOLDS,
        rows=seen,
        clicks=random.binomial(seen, 0.4),
        sizes=(users, items),
    )


Numbers = npt.NDArray[np.float64]


def by_rows(pairs: PairCounts, seed: int) -> tuple[Numbers, Numbers]:
    """The vectors by the definition: a row at a time, each value's factors as scikit-learn's ridge regression."""
    user, item = (np.repeat(places, pairs.rows) for places in (pairs.first, pairs.second))
    clicked = np.concatenate(
        [np.arange(rows) < clicks for rows, clicks in zip(pairs.rows.tolist(), pairs.clicks.tolist(), strict=True)]
    ).astype(np.float64)
    average = clicked.mean()
    of_user, of_item = np.zeros(pairs.sizes[0]), np.zeros(pairs.sizes[1])
    for _ in range(factors.BIAS_SWEEPS):
        for own, place, others, at in ((of_item, item, of_user, user), (of_user, user, of_item, item)):
            above = clicked - average - others[at]
            for value in range(len(own)):
                own[value] = above[place == value].sum() / ((place == value).sum() + SHRINKAGE)
    rest = clicked - average - of_user[user] - of_item[item]
    second = np.random.default_rng(seed).normal(0, factors.SPREAD, (pairs.sizes[1], FACTORS))
    first = np.zeros((pairs.sizes[0], FACTORS))
    for _ in range(factors.FACTOR_SWEEPS):
        for own, place, others, other in ((first, user, second, item), (second, item, first, user)):
            known = others[other]
            for value in range(len(own)):
                at = place == value
                own[value] = Ridge(alpha=RIDGE, fit_intercept=False).fit(known[at], rest[at]).coef_ if at.any() else 0
    return (
        np.column_stack([average + of_user, np.ones(len(first)), first]),
        np.column_stack([np.ones(len(second)), of_item, second]),
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_vectors_are_those_of_the_definition(seed: int) -> None:
    pairs = drawn(seed)
    found = fit(pairs, (USER, ITEM), seed=seed)
    for vectors, expected in zip((found.first, found.second), by_rows(pairs, seed), strict=True):
        np.testing.assert_allclose(vectors[:-1], expected, rtol=1e-5, atol=1e-6)
    average = pairs.clicks.sum() / pairs.rows.sum()
    np.testing.assert_allclose(found.first[-1], [average, 1, *[0] * FACTORS], rtol=1e-6)
    assert found.second[-1].tolist() == [1, 0, *[0] * FACTORS]


def test_without_any_pair_everything_is_predicted_alike() -> None:
    none = np.empty(0, dtype=np.int64)
    pairs = replace(drawn(1), first=none, second=none, fold=none, rows=none, clicks=none)
    found = fit(pairs, (USER, ITEM), seed=1)
    assert not found.products(np.arange(10), np.zeros(10, dtype=np.int64)).any()


def values_of(rows: Rows) -> FrequentValues:
    hashes = [
        [hash_value(value) for value in column]
        for column in ([r[1] for r in rows], "x" * len(rows), [r[0] for r in rows])
    ]
    clicked = np.array([row[2] for row in rows])
    folds = np.array([row[3] for row in rows], dtype=np.int32)
    columns = [count(np.array(column), clicked, folds, number=FOLDS) for column in hashes]
    values: FrequentValues = LocalCounts(columns=columns, folds=FOLDS).frequent(np.ones(3, dtype=np.int64))
    return values


def trained(rows: Rows) -> FoldEncoder:
    values, parameters = values_of(rows), TrainingParameters(folds=FOLDS, seed=7)
    return with_factors(FoldEncoder.of(values, SCHEMA, parameters), values, MemoryRows((batch(rows),)), parameters)


def table(seed: int) -> Rows:
    random = np.random.default_rng(seed)
    return [
        (str(user), str(item), bool(random.random() < 0.5), int(random.integers(FOLDS)))
        for user in "abcdefgh"
        for item in "ABCDE"
    ]


def test_a_rows_own_fold_says_nothing_about_it() -> None:
    rows = table(1)
    turned = [(user, item, clicked != (fold == 1), fold) for user, item, clicked, fold in rows]
    before, after = trained(rows).factors, trained(turned).factors
    for fold in range(FOLDS):
        same = np.array_equal(before[fold].first, after[fold].first)
        assert same == (fold == 1)


def test_training_rows_get_the_products_of_their_fold_and_held_out_ones_those_of_all() -> None:
    rows = table(2)
    encoder = trained(rows)
    all_users, all_items = sorted("abcdefgh", key=hash_value), sorted("ABCDE", key=hash_value)
    users, items, _, fold_of_each = zip(*rows, strict=True)
    fields = [hash_values(items), hash_values("x" * len(rows)), hash_values(users)]
    folds = np.array(fold_of_each, dtype=np.int32)
    raw = RawRows(schema=SCHEMA, fields=fields)
    out_of_fold = encoder.encode(raw, folds)
    served = raw.encode(encoder.encoder)
    of_all = encoder.encoder.factors
    assert of_all is not None
    for place, (user, item, _, fold) in enumerate(rows):
        at = all_users.index(user), all_items.index(item)
        assert out_of_fold[place, -2] == product(encoder.factors[fold], *at)
        assert served[place, -2] == product(of_all, *at)
        assert out_of_fold[place, -1] == served[place, -1] == np.float32(np.log1p(5))  # of a user, 8 of an item


def product(found: Factors, user: int, item: int) -> np.float32:
    first, second = found.first[user].tolist(), found.second[item].tolist()
    return np.float32(sum(one * other for one, other in zip(first, second, strict=True)))


def test_too_many_rows_are_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "MOST_FACTORED_ROWS", 39)
    with pytest.raises(FactorsError, match=r"factors of user and item would be fitted from 40 rows.*no more than 39\."):
        trained(table(1))
