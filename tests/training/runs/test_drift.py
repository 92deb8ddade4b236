"""A champion that was trained on other data: the gate measures the drift, and rejects the new model above the limit."""

from pathlib import Path

import pytest

from tests.support.criteo_rows import write
from tests.support.training_runs import Run, train

PRICE, SHOP = 1 + 3, 1 + 13 + 5
"""The fields of int03 and cat05 in a row of Criteo's format."""


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day from the same distribution as the training data."""
    return write(tmp_path_factory.mktemp("day") / "rows.tsv", 4_000, seed=7)


@pytest.fixture(scope="module")
def other_day(day: Path) -> Path:
    """The same rows with other values of int03 and cat05."""
    lines = []
    for line in day.read_text().splitlines():
        fields = line.split("\t")
        fields[PRICE], fields[SHOP] = "1000000", "ffffffff"
        lines.append("\t".join(fields))
    path = day.with_name("other.tsv")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_day_like_the_champions_has_not_moved(run: Run, day: Path, tmp_path: Path) -> None:
    same = train(tmp_path, "--dataset", "criteo", "--path", str(day), "--champion", run.result.bundle)
    drift = same.result.metrics["champion"]["drift"]
    assert max(drift["prediction"], *drift["columns"].values()) < 0.1


def test_a_champion_trained_on_other_data_rejects_above_the_limit(run: Run, other_day: Path, tmp_path: Path) -> None:
    options = ("--dataset", "criteo", "--path", str(other_day), "--champion", run.result.bundle)
    moved = train(tmp_path, *options, "--gate-max-drift", "0.25")
    assert not moved.result.verdict.accepted
    assert any(reason.startswith("Drift of ") and "above 0.2500" in reason for reason in moved.result.verdict.reasons)
    columns = moved.result.metrics["champion"]["drift"]["columns"]
    assert {name for name, index in columns.items() if index > 0.25} == {"int03", "cat05"}
