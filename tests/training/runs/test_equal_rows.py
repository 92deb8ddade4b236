"""Rows that are equal in all columns are split and sampled one by one, whatever their order and files."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from features.bundle import Bundle
from features.hashing import hash_whole_numbers
from tests.support.training_runs import prepared, train
from training.kernels.columns import LABEL, PART, RAW, RECORD_HASH
from training.kernels.hashed import numbered
from training.local.engine import LocalEngine
from training.parameters import TablesDataset, TrainingParameters

Row = tuple[str, str, int]


def table(rows: int, *, seed: int, sizes: Sequence[int] = (4, 4, 4)) -> tuple[pd.DataFrame, float]:
    """Rows of columns with few values, the first two of which act on each other, and the best possible log loss."""
    drawn = np.random.default_rng(seed)
    columns = [drawn.integers(0, size, rows) for size in sizes]
    effects = sum(drawn.normal(0, 0.7, size)[own] for own, size in zip(columns, sizes, strict=True))
    chance = 1 / (1 + np.exp(0.8 - effects - 1.2 * (columns[0] == columns[1])))
    clicked = drawn.random(rows) < chance
    frame = pd.DataFrame({f"c{number}": [f"v{value}" for value in own] for number, own in enumerate(columns)})
    frame["hit"] = clicked.astype(int)
    return frame, float(-np.log(np.where(clicked, chance, 1 - chance)).mean())


def written(folder: Path, *parts: pd.DataFrame) -> Path:
    """A dataset config of these rows, in as many files."""
    (folder / "rows").mkdir(parents=True)
    for number, part in enumerate(parts):
        part.to_csv(folder / "rows" / f"{number}.csv", index=False)
    columns = [name for name in parts[0].columns if name != "hit"]
    config = {"interactions": "rows", "label": {"column": "hit"}, "categorical": columns}
    (folder / "dataset.yaml").write_text(yaml.safe_dump(config))
    return folder / "dataset.yaml"


def sides(spec: Path, folder: Path) -> Counter[tuple[Row, int]]:
    """How many rows of each kind are in each part."""
    dataset = TablesDataset(kind="tables", spec=spec)
    rows, read = prepared(LocalEngine(data_size=0, processes=1), dataset, folder / "prepared")
    found: Counter[tuple[Row, int]] = Counter()
    for batch in rows.divided(TrainingParameters(), count=read["rows"]).batches([LABEL, RAW, PART]):
        label, raw, part = (column.to_pylist() for column in batch.columns)
        found.update(((*texts.values(), own), place) for own, texts, place in zip(label, raw, part, strict=True))
    return found


def test_the_first_of_equal_rows_keeps_its_hash_and_the_others_hash_their_number() -> None:
    """The definition, with the package `xxhash` behind it (see test_hashes.py)."""
    hashes, number = np.array([7, 7, 7, -3]), np.array([0, 1, 2, 0])
    again = hash_whole_numbers(np.array([1, 2]), np.array([7, 7], dtype=np.uint64)).view(np.int64).tolist()
    assert numbered(hashes, number).tolist() == [7, *again, -3]


def test_equal_rows_fall_on_both_sides_in_any_order_and_files(tmp_path: Path) -> None:
    frame, _ = table(3_000, seed=1, sizes=(2, 3))
    shuffled = frame.sample(frac=1, random_state=2)
    found = sides(written(tmp_path / "one", frame), tmp_path / "one")
    assert sides(written(tmp_path / "three", *(shuffled[start::3] for start in range(3))), tmp_path / "three") == found
    kinds = {kind for kind, _ in found}
    assert all(found[kind, part] > 0 for kind in kinds for part in range(3))
    held_out = sum(rows for (_, part), rows in found.items() if part == 2)
    assert held_out == pytest.approx(600, abs=4 * np.sqrt(2 * 3_000 * 0.2 * 0.8))  # both labels share their draws


def test_rows_that_are_added_move_no_old_one(tmp_path: Path) -> None:
    frame, _ = table(2_000, seed=3, sizes=(3, 3))
    before = sides(written(tmp_path / "before", frame), tmp_path / "before")
    more = table(1_000, seed=3, sizes=(3, 3))[0]
    after = sides(written(tmp_path / "after", more, frame), tmp_path / "after")
    assert sum(after.values()) == 3_000
    assert before <= after


def test_labels_do_not_decide_the_hash(tmp_path: Path) -> None:
    """Of ten rows with each label, the n-th ones share a hash."""
    frame = pd.DataFrame({"c0": ["a"] * 20, "hit": [0, 1] * 10})
    dataset = TablesDataset(kind="tables", spec=written(tmp_path, frame))
    rows, _ = prepared(LocalEngine(data_size=0, processes=1), dataset, tmp_path / "prepared")
    (batch,) = rows.batches([RECORD_HASH, LABEL])
    hashes = batch.column(0).to_numpy()
    labels = batch.column(1).to_numpy()
    assert sorted(hashes[labels == 0]) == sorted(hashes[labels == 1])
    assert len(set(hashes)) == 10


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(2, 7))])
def test_a_model_of_few_combinations_reaches_the_best_possible_loss(tmp_path: Path, seed: int) -> None:
    frame, best = table(20_000, seed=5)
    spec = written(tmp_path, frame)
    options = ("--dataset", "tables", "--spec", str(spec), "--seed", str(seed), "--num-iterations", "100")
    run = train(tmp_path / "run", *options, "--num-leaves", "32", "--feature-fraction-by-node", "1")
    assert run.result.verdict.accepted, run.result.verdict.reasons
    noise = 3 * 0.5 / np.sqrt(run.result.rows["held_out"])
    assert run.result.metrics["log_loss"] == pytest.approx(best, abs=noise)
    golden = Bundle.load(Path(run.result.bundle)).click_model.golden
    assert len({tuple(one.record.items()) for one in golden}) == len(golden) == 64
