"""Earlier versions are scored by their own encoder and model, and only if the comparison is fair."""

from collections.abc import Sequence

import lightgbm
import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from features.bundle import MODEL, Bundle, HeldOut
from features.schema import Schema
from tests.support.bundles import make_bundle, random_records, to_rows
from tests.support.prepared_rows import MemoryRows, prepared, with_columns
from training.evaluation.gate import Candidate, EarlierVersion
from training.evaluation.measure import Scored, score
from training.kernels.columns import CATEGORIES, NUMBERS, TIME
from training.kernels.hashed import hashed_fields
from training.parameters import Split, TrainingParameters

SCHEMA = Schema(numeric=("price", "age"), categorical=("shop", "town"))
PARAMETERS = TrainingParameters()
BY_TIME = TrainingParameters(split=Split.TIME)
CLICKED = np.arange(300) % 3 // 2 == 1


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return trained_with(Bundle.load(make_bundle(tmp_path_factory.mktemp("bundle") / "b", schema=SCHEMA)), PARAMETERS)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Another model of the same columns."""
    made = make_bundle(tmp_path_factory.mktemp("bundle") / "other", schema=SCHEMA, seed=8, trees=9)
    return trained_with(Bundle.load(made), PARAMETERS)


@pytest.fixture(scope="module")
def held_out() -> MemoryRows:
    """300 prepared rows with missing numbers and categories, and values that the champion has never seen."""
    records = random_records(SCHEMA, 300, seed=7, values=2_000)
    return MemoryRows((prepared(records, SCHEMA, label=CLICKED.astype(int).tolist()),))


@pytest.fixture(scope="module")
def dated(held_out: MemoryRows) -> MemoryRows:
    """The same rows in two batches, at microseconds 0 to 299."""
    (batch,) = held_out.batches
    whole = with_columns(batch, **{TIME: list(range(300))})
    return MemoryRows((whole.slice(0, 100), whole.slice(100)))


def held(schema: Schema = SCHEMA, *, since: int | None = None, keys: Sequence[str] = ()) -> HeldOut:
    return HeldOut(fields=hashed_fields(schema, keys), timestamp=schema.timestamp, since=since)


def trained_with(bundle: Bundle, parameters: TrainingParameters, held_out: HeldOut | None = None) -> Bundle:
    """The bundle as if it had been trained with these parameters."""
    metadata = msgspec.structs.replace(
        bundle.metadata, hyperparameters=parameters.model_dump(mode="json"), held_out=held_out or held()
    )
    return msgspec.structs.replace(bundle, metadata=metadata)


def scored(bundle: Bundle, schema: Schema = SCHEMA) -> Scored:
    clicks = bundle.click_model
    return Scored(schema=schema, encoder=clicks.encoder, text=clicks.trees.read_text())


def beside(
    rows: MemoryRows,
    champion: Bundle,
    ours: Bundle | None = None,
    *,
    parameters: TrainingParameters = PARAMETERS,
    held_out: HeldOut | None = None,
    version: int | None = None,
    schema: Schema = SCHEMA,
) -> EarlierVersion:
    """The champion beside a candidate, which is its own model unless another one is given."""
    candidate = Scored(schema=schema, encoder=scored(ours or champion).encoder, text=scored(ours or champion).text)
    found = Candidate(scored=candidate, parameters=parameters, held_out=held_out or held(schema))
    return found.beside(rows, champion, version=version)


def probabilities(bundle: Bundle) -> npt.NDArray[np.float64]:
    inputs = to_rows(SCHEMA, random_records(SCHEMA, 300, seed=7, values=2_000)).encode(bundle.click_model.encoder)
    return np.asarray(lightgbm.Booster(model_file=bundle.path / MODEL).predict(inputs), dtype=np.float64)


def test_rows_get_the_probabilities_of_both_bundles_own_models(
    held_out: MemoryRows, bundle: Bundle, other: Bundle
) -> None:
    found = score(held_out, SCHEMA, scored(bundle), scored(other))
    np.testing.assert_array_equal(found.clicked, CLICKED)
    np.testing.assert_array_equal(found.probabilities, [probabilities(bundle), probabilities(other)])


def test_the_standard_error_is_that_of_the_paired_losses(dated: MemoryRows, bundle: Bundle, other: Bundle) -> None:
    """Against NumPy's, from the losses of each row."""
    losses = [-np.log(np.where(CLICKED, found, 1 - found)) for found in (probabilities(bundle), probabilities(other))]
    difference = losses[0] - losses[1]
    compared = beside(dated, bundle, other).compared
    assert compared is not None
    assert compared.gain == pytest.approx(difference.mean(), abs=1e-8)
    assert compared.standard_error == pytest.approx(difference.std(ddof=1) / np.sqrt(300), rel=1e-5)
    same = beside(dated, bundle).compared
    assert same is not None
    assert (same.gain, same.standard_error) == (0.0, 0.0)


def test_another_order_does_not_hinder_the_comparison(held_out: MemoryRows, bundle: Bundle) -> None:
    turned = Schema(numeric=("age", "price"), categorical=("town", "shop"))
    (batch,) = held_out.batches
    numbers = [[age, price] for price, age in batch.column(NUMBERS).to_pylist()]
    hashes = [[town, shop] for shop, town in batch.column(CATEGORIES).to_pylist()]
    rows = MemoryRows((with_columns(batch, **{NUMBERS: numbers, CATEGORIES: hashes}),))
    found = scored(bundle)
    candidate = Candidate(
        scored=Scored(schema=turned, encoder=found.encoder, text=found.text),
        parameters=PARAMETERS,
        held_out=held(turned),
    )
    assert candidate.beside(rows, bundle).evaluation == beside(held_out, bundle).evaluation


def test_a_champion_that_needs_other_columns_is_not_compared(held_out: MemoryRows, bundle: Bundle) -> None:
    champion = beside(held_out, bundle, schema=Schema(numeric=("price", "town"), categorical=("shop",)))
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
    champion = beside(held_out, trained_with(bundle, TrainingParameters.model_validate(earlier)))
    assert (champion.evaluation is not None) is fair
    if not fair:
        assert "trained on another split" in str(champion.not_comparable)


def test_a_champion_whose_rows_were_split_by_other_columns_is_not_compared(
    held_out: MemoryRows, bundle: Bundle
) -> None:
    """A column more decides another side for each row; a bundle of before does not say which columns did."""
    keyed = beside(held_out, trained_with(bundle, PARAMETERS, held(keys=["user_id"])))
    assert keyed.not_comparable == (
        "other columns decided its split (user_id (text)), so it has seen some of these rows"
    )
    metadata = msgspec.structs.replace(bundle.metadata, held_out=None)
    unknown = beside(held_out, msgspec.structs.replace(bundle, metadata=metadata))
    assert "does not say which columns decided the split" in str(unknown.not_comparable)


@pytest.mark.parametrize(("theirs", "fair"), [(0, True), (100, True), (180, False)])
def test_after_a_split_by_time_a_champion_that_held_out_only_later_rows_is_not_compared(
    dated: MemoryRows, bundle: Bundle, theirs: int, *, fair: bool
) -> None:
    champion = trained_with(bundle, BY_TIME, held(since=theirs))
    found = beside(dated, champion, parameters=BY_TIME, held_out=held(since=100))
    assert (found.compared is not None) is fair
    if not fair:
        assert "trained on rows until 1970-01-01 00:00:00 UTC, so it has seen" in str(found.not_comparable)


def test_times_of_different_columns_are_not_compared(dated: MemoryRows, bundle: Bundle) -> None:
    dates = HeldOut(fields=(), timestamp="ordered_at", since=0)
    found = beside(dated, trained_with(bundle, BY_TIME, dates), parameters=BY_TIME, held_out=held(since=100))
    assert "split by the time in ordered_at instead of None" in str(found.not_comparable)
