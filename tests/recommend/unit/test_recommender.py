"""What is served: recommendations by hand, and files that are written, read and refused."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from features.bundle import BundleError
from recommend import recommender
from recommend.first_stage import FILES, OTHERS, WEIGHTS, ItemWeights
from recommend.ranking import Predict
from recommend.recommender import GOLDEN, ITEMS, Recommender, Wanted, read_golden
from tests.support.recommenders import ITEM_TO_ITEM

NOTHING = np.empty(0, np.int64)


def no_model(model: Path, inputs: int) -> Predict:
    raise AssertionError(f"There is no ranking in {model}, with {inputs} inputs")


FIVE = Recommender(items=["a", "b", "c", "d", "e"], first_stage=ItemWeights.cut(ITEM_TO_ITEM))


def test_reasons_are_looked_for_among_the_latest_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Recommender(
        items=["a", "b", "c"], first_stage=ItemWeights.cut(np.array([[0, 0, 9.0], [0, 0, 1], [0, 0, 0]]))
    )
    wanted, best = Wanted(np.array([0, 1, 1]), 1, NOTHING, {}), np.array([2])
    assert made.explained(wanted, best, np.zeros(1))[0].because == [0, 1]
    monkeypatch.setattr(recommender, "REASONED", 2)
    assert made.explained(wanted, best, np.zeros(1))[0].because == [1]


def test_nothing_of_the_history_and_nothing_excluded_is_recommended() -> None:
    found = FIVE.recommend(np.array([1]), 10, np.array([2]))
    assert [one.item for one in found] == [0, 3, 4]
    assert FIVE.recommend(np.arange(5), 3, NOTHING) == []


def test_what_is_saved_is_loaded_and_reproduces_its_golden_requests(tmp_path: Path) -> None:
    FIVE.save(tmp_path / "recommend", seed=7)
    loaded = Recommender.load(tmp_path / "recommend", no_model)
    golden = read_golden(tmp_path / "recommend")
    assert loaded.items == FIVE.items
    assert golden == loaded.golden(7)
    assert any(one.items for one in golden)
    for one in golden:
        history = np.array([loaded.numbers[key] for key in one.history])
        assert [FIVE.items[item.item] for item in FIVE.recommend(history, 10, NOTHING)] == one.items


def test_weights_are_mapped_and_not_copied(tmp_path: Path) -> None:
    FIVE.save(tmp_path / "recommend", seed=7)
    loaded = Recommender.load(tmp_path / "recommend", no_model).first_stage
    assert isinstance(loaded, ItemWeights)
    assert isinstance(loaded.weights.base, np.memmap)
    assert isinstance(loaded.others.base, np.memmap)


def test_weights_of_another_type_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "recommend"
    FIVE.save(folder, seed=7)
    np.save(folder / WEIGHTS, np.load(folder / WEIGHTS).astype(np.float16))
    with pytest.raises(BundleError, match=WEIGHTS):
        Recommender.load(folder, no_model)


def test_weights_whose_items_do_not_ascend_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "recommend"
    FIVE.save(folder, seed=7)
    np.save(folder / OTHERS, np.load(folder / OTHERS)[::-1])
    with pytest.raises(BundleError, match="a row whose items do not ascend"):
        Recommender.load(folder, no_model)


@pytest.mark.parametrize("name", [ITEMS, *FILES])
def test_missing_and_cut_files_are_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "recommend"
    FIVE.save(folder, seed=7)
    (folder / name).write_bytes((folder / name).read_bytes()[:-3])
    with pytest.raises(BundleError, match="cannot be read"):
        Recommender.load(folder, no_model)
    (folder / name).unlink()
    with pytest.raises(BundleError, match=name):
        Recommender.load(folder, no_model)


def test_files_that_do_not_fit_each_other_and_other_formats_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "recommend"
    FIVE.save(folder, seed=7)
    (folder / ITEMS).write_bytes(msgspec.json.encode({"format": 4, "items": ["a", "b"]}))
    with pytest.raises(BundleError, match="not of 2 items"):
        Recommender.load(folder, no_model)
    (folder / ITEMS).write_bytes(msgspec.json.encode({"format": 1, "items": FIVE.items}))
    with pytest.raises(BundleError, match=r"format 1, .*Train the model again"):
        Recommender.load(folder, no_model)
    (folder / GOLDEN).write_bytes(b"[{}]")
    with pytest.raises(BundleError, match=GOLDEN):
        read_golden(folder)


def test_what_somebody_chose_is_recommended_again_and_an_item_counts_once(tmp_path: Path) -> None:
    again = replace(FIVE, repeats=True)
    items = [one.item for one in again.recommend(np.array([1, 0, 1]), 5, NOTHING)]
    assert sorted(items) == [0, 1, 2, 3, 4]
    assert again.recommend(np.array([1, 0, 1]), 5, NOTHING) == again.recommend(np.array([0, 1]), 5, NOTHING)
    assert 1 not in [one.item for one in again.recommend(np.array([0]), 5, np.array([1]))]
    again.save(tmp_path / "recommend", seed=7)
    assert Recommender.load(tmp_path / "recommend", no_model).repeats
