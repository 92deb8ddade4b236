"""Real-world data: empty and near-unique columns, unseen values, values of megabytes, missing files."""

import gzip
import json
import shutil
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from features.bundle import Bundle
from features.schema import CRITEO
from tests.support.bundles import Record, to_rows
from tests.support.training_runs import Run, train
from training.datasets import describe, materialize
from training.datasets.errors import EmptyDatasetError, MalformedRowError, MissingFileError
from training.parameters import CriteoDataset

ROWS = 3_000
MEGABYTES = 10 << 20


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERSONALIZE_CACHE", str(tmp_path_factory.mktemp("cache")))


def awkward_row(number: int, generator: np.random.Generator) -> str:
    """A row of Criteo's format in which int00 and cat00 are missing everywhere, int01 and cat01 constant, int02 and
    cat02 all distinct, and int03 and cat03 leak the label."""
    kind = int(generator.integers(0, 20))
    label = int(generator.random() < 0.1 + 0.03 * kind)
    numbers = {"int00": "", "int01": "7", "int02": str(number), "int03": str(100 * label + kind)}
    categories = {"cat00": "", "cat01": "same", "cat02": f"{number:08x}", "cat03": "yes" if label else "no"}
    fields = {name: str(kind) for name in CRITEO.features} | numbers | categories
    return "\t".join([str(label), *fields.values()])


@pytest.fixture(scope="module")
def awkward(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on such rows, one with a category of 10 MB."""
    folder = tmp_path_factory.mktemp("awkward") / "a day [of {many}]"
    folder.mkdir()
    generator = np.random.default_rng(0)
    lines = [awkward_row(number, generator) for number in range(ROWS)]
    lines[5] = lines[5].rpartition("\t")[0] + "\t" + "x" * MEGABYTES
    (folder / "rows.tsv").write_text("\n".join(lines) + "\n")
    return train(folder / "run", "--dataset", "criteo", "--path", str(folder / "rows.tsv"))


def test_a_model_comes_of_columns_that_are_missing_constant_or_all_distinct(awkward: Run) -> None:
    bundle = Bundle.load(Path(awkward.result.bundle))
    sizes = {name: np.diff(bundle.click_model.encoder.offsets)[index] for index, name in enumerate(CRITEO.categorical)}
    assert (sizes["cat00"], sizes["cat01"], sizes["cat02"], sizes["cat03"]) == (1, 1, 0, 2)
    assert awkward.result.metrics["auc"] > 0.9


def test_columns_that_tell_the_label_are_named_and_no_others(awkward: Run) -> None:
    warnings = awkward.result.metrics["warnings"]
    assert [warning.split()[2] for warning in warnings] == ["int03", "cat03"]
    messages = [json.loads(line)["message"] for line in awkward.progress]
    assert [f"evaluate: {warning}" for warning in warnings] == [one for one in messages if "alone predicts" in one]
    assert all(warning in awkward.result.to_text() for warning in warnings)


def test_a_value_of_ten_megabytes_neither_stops_training_nor_fills_the_report(awkward: Run) -> None:
    assert awkward.result.rows["fit"] + awkward.result.rows["validation"] + awkward.result.rows["held_out"] == ROWS
    assert Path(awkward.result.report).stat().st_size < 1 << 20
    assert len(json.dumps(awkward.result.metrics)) < 1 << 16


def test_a_category_never_seen_is_scored_whatever_its_length(awkward: Run) -> None:
    bundle = Bundle.load(Path(awkward.result.bundle))
    unknown: list[Record] = [dict.fromkeys(CRITEO.categorical, text) for text in ("never seen", "y" * MEGABYTES)]
    encoded = to_rows(CRITEO, unknown).encode(bundle.click_model.encoder)
    np.testing.assert_array_equal(encoded[0], encoded[1])
    probability = np.asarray(lightgbm.Booster(model_file=bundle.path / "model.txt").predict(encoded))
    assert np.all((probability > 0) & (probability < 1))


def days(folder: Path, **contents: str) -> CriteoDataset:
    folder.mkdir()
    for name, content in contents.items():
        (folder / name).write_text(content)
    return CriteoDataset(kind="criteo", path=str(folder))


GOOD = "".join(awkward_row(number, np.random.default_rng(number)) + "\n" for number in range(50))


def test_an_empty_partition_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmptyDatasetError, match="day_1 is empty"):
        describe(days(tmp_path / "days", day_0=GOOD, day_1=""))


def test_a_compressed_file_without_rows_is_named(tmp_path: Path) -> None:
    file = tmp_path / "day_0.gz"
    file.write_bytes(gzip.compress(b""))
    with pytest.raises(EmptyDatasetError, match=rf"There is no row in {file}"):
        train(tmp_path / "run", "--dataset", "criteo", "--path", str(file))


def test_a_partition_of_another_schema_is_named_with_its_line(tmp_path: Path) -> None:
    dataset = days(tmp_path / "days", day_0=GOOD, day_1=GOOD.replace("\n", "\textra\n"))
    with pytest.raises(MalformedRowError, match=r"day_1, line 1: 41 tab-separated fields instead of 40"):
        train(tmp_path / "run", "--dataset", "criteo", "--path", dataset.path)


def test_a_partition_that_vanished_from_the_lake_is_missed(tmp_path: Path) -> None:
    dataset = days(tmp_path / "days", day_0=GOOD, day_1=GOOD)
    materialize(dataset, tmp_path / "lake")
    shutil.rmtree(tmp_path / "lake" / "dt=day_1")
    with pytest.raises(MissingFileError, match="day_1"):
        train(tmp_path / "run", "--dataset", "criteo", "--path", dataset.path, "--data", str(tmp_path / "lake"))
