"""`python -m training.drift` on a day's data: it finds the columns that drift, and fails above the limit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from features.bundle import Bundle
from tests.support.training_runs import Run, train
from tools.paths import ROOT
from training import datasets
from training.datasets.errors import DatasetError
from training.datasets.progress import silent
from training.drift import NotComparableError, compare_source, main
from training.engines.local.engine import LocalEngine
from training.evaluation.reference import Drift
from training.parameters import CriteoDataset, Dataset, SyntheticDataset, TablesDataset

PRICE, SHOP = 1 + 3, 1 + 13 + 5
"""The fields of int03 and cat05 in a row of Criteo's format."""


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day from the same distribution as the training data."""
    folder = tmp_path_factory.mktemp("day")
    datasets.materialize(SyntheticDataset(rows=4_000, seed=7), folder / "lake")
    return folder / "lake" / "dt=all" / "part-00000.tsv"


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


@pytest.fixture
def bundle(run: Run) -> Bundle:
    return Bundle.load(Path(run.result.bundle))


def compared(bundle: Bundle, dataset: Dataset, work: Path) -> Drift:
    source = LocalEngine(data_size=0, processes=1).open_source(dataset, None, silent)
    return compare_source(bundle, source, work / "rows")


def criteo(path: Path) -> CriteoDataset:
    return CriteoDataset(kind="criteo", path=str(path))


def test_a_day_like_the_models_has_not_moved(bundle: Bundle, day: Path, tmp_path: Path) -> None:
    drift = compared(bundle, criteo(day), tmp_path)
    assert drift.rows == 4_000
    assert drift.worst.index < 0.1
    assert {moved.name for moved in drift.columns} == set(bundle.schema.features)


def test_columns_that_changed_are_found_and_no_others(bundle: Bundle, other_day: Path, tmp_path: Path) -> None:
    drift = compared(bundle, criteo(other_day), tmp_path)
    assert {moved.name for moved in drift.columns if moved.index > 0.25} == {"int03", "cat05"}


def test_a_day_that_is_not_right_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "day").write_text("1\t2\t3\n")
    with pytest.raises(DatasetError, match="line 1: 3 tab-separated fields"):
        compared(bundle, criteo(tmp_path / "day"), tmp_path)


def test_data_without_the_models_columns_says_nothing(bundle: Bundle, tmp_path: Path) -> None:
    tables = TablesDataset(kind="tables", spec=ROOT / "examples" / "tables" / "dataset.yaml")
    with pytest.raises(NotComparableError, match="lacks its columns int00"):
        compared(bundle, tables, tmp_path)


def test_a_champion_trained_on_other_data_rejects_above_the_limit(run: Run, other_day: Path, tmp_path: Path) -> None:
    options = ("--dataset", "criteo", "--path", str(other_day), "--champion", run.result.bundle)
    moved = train(tmp_path, *options, "--gate-max-drift", "0.25")
    assert not moved.result.verdict.accepted
    assert any(reason.startswith("Drift of ") and "above 0.2500" in reason for reason in moved.result.verdict.reasons)
    assert moved.result.metrics["champion"]["drift"]["columns"]["int03"] > 0.25


def test_the_command_writes_a_page_and_fails_above_the_limit(run: Run, other_day: Path, tmp_path: Path) -> None:
    page = tmp_path / "pages" / "drift.html"
    command = [
        sys.executable,
        "-m",
        "training.drift",
        "--bundle",
        run.result.bundle,
        "--path",
        str(other_day),
        "--json",
    ]
    command += ["--output", str(page), "--max-drift", "0.25", "--driver-memory-gib", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    result = json.loads(done.stdout)
    assert result["passed"] is False
    assert result["page"] == str(page)
    assert "Drift above the limit" in page.read_text()


def test_a_bundle_that_is_none_is_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--bundle", str(tmp_path), "--path", "rows.tsv"]) != 0
    assert capfd.readouterr().err.count("error: ") == 1
