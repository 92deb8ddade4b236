"""Earlier versions are scored by their own encoder and model, and only if the comparison is fair."""

import lightgbm
import msgspec
import numpy as np
import pytest

from features.bundle import MODEL, Bundle
from features.schema import Schema
from tests.support.bundles import make_bundle, random_records, to_rows
from tests.support.prepared_rows import MemoryRows, prepared, with_columns
from training.evaluation.earlier import evaluate_earlier, scoring_with
from training.kernels.columns import CATEGORIES, NUMBERS
from training.metrics.score_counts import ScoreCounts
from training.parameters import TrainingParameters

SCHEMA = Schema(numeric=("price", "age"), categorical=("shop", "town"))
PARAMETERS = TrainingParameters()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return trained_with(Bundle.load(make_bundle(tmp_path_factory.mktemp("bundle") / "b", schema=SCHEMA)), PARAMETERS)


@pytest.fixture(scope="module")
def held_out() -> MemoryRows:
    """300 prepared rows with missing numbers and categories, and values that the champion has never seen."""
    records = random_records(SCHEMA, 300, seed=7, values=2_000)
    return MemoryRows((prepared(records, SCHEMA, label=[index % 3 // 2 for index in range(300)]),))


def trained_with(bundle: Bundle, parameters: TrainingParameters) -> Bundle:
    """The bundle as if it had been trained with these parameters."""
    metadata = msgspec.structs.replace(bundle.metadata, hyperparameters=parameters.model_dump(mode="json"))
    return msgspec.structs.replace(bundle, metadata=metadata)


def test_rows_get_the_probabilities_of_the_bundles_own_model(held_out: MemoryRows, bundle: Bundle) -> None:
    inputs = to_rows(SCHEMA, random_records(SCHEMA, 300, seed=7, values=2_000)).encode(bundle.click_model.encoder)
    expected = ScoreCounts()
    clicked = np.arange(300) % 3 // 2 == 1
    expected.add(clicked, np.asarray(lightgbm.Booster(model_file=bundle.path / MODEL).predict(inputs)))
    counts = held_out.scan(scoring_with(bundle, SCHEMA)).sort_by([("of", "ascending"), ("bin", "ascending")])
    assert counts.to_pylist() == expected.batch().to_pylist()


def test_a_champion_of_the_same_split_is_measured_on_the_same_rows(held_out: MemoryRows, bundle: Bundle) -> None:
    champion = evaluate_earlier(held_out, bundle, SCHEMA, PARAMETERS, version=3)
    assert champion.not_comparable is None
    assert champion.evaluation is not None
    assert champion.evaluation.rows == 300
    assert champion.name == "version 3"
    assert champion.scalars()["auc"] == champion.evaluation.auc


def test_new_columns_and_another_order_do_not_hinder_the_comparison(held_out: MemoryRows, bundle: Bundle) -> None:
    wider = Schema(numeric=("weight", "age", "price"), categorical=("town", "street", "shop"))
    (batch,) = held_out.batches
    numbers = [[1.0, age, price] for price, age in batch.column(NUMBERS).to_pylist()]
    hashes = [[town, 1, shop] for shop, town in batch.column(CATEGORIES).to_pylist()]
    rows = MemoryRows((with_columns(batch, **{NUMBERS: numbers, CATEGORIES: hashes}),))
    expected = evaluate_earlier(held_out, bundle, SCHEMA, PARAMETERS).evaluation
    assert evaluate_earlier(rows, bundle, wider, PARAMETERS).evaluation == expected


def test_a_champion_that_needs_other_columns_is_not_compared(held_out: MemoryRows, bundle: Bundle) -> None:
    other = Schema(numeric=("price", "town"), categorical=("shop",))
    champion = evaluate_earlier(held_out, bundle, other, PARAMETERS)
    assert champion.evaluation is None
    assert champion.not_comparable == "it needs columns that this dataset does not have as such (age, town)"


@pytest.mark.parametrize(
    ("earlier", "fair"),
    [
        ({"seed": 43}, False),
        ({"split": "time"}, False),
        ({"train_fraction": 0.9}, False),
        ({"train_fraction": 0.7}, True),
        ({"num_leaves": 8}, True),
    ],
)
def test_a_champion_that_has_seen_the_rows_is_not_compared(
    held_out: MemoryRows, bundle: Bundle, earlier: dict[str, object], *, fair: bool
) -> None:
    champion = evaluate_earlier(
        held_out, trained_with(bundle, TrainingParameters.model_validate(earlier)), SCHEMA, PARAMETERS
    )
    assert (champion.evaluation is not None) is fair
    if not fair:
        assert "trained on another split" in str(champion.not_comparable)
