"""Real-world data: empty and near-unique columns, unseen values, values of megabytes; and Criteo's rows,
correctly typed, of which every malformed one is named by file and line.
"""

import gzip
import json
import os
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest

from features.bundle import Bundle
from features.schema import CRITEO
from tests.support.bundles import Record, to_rows
from tests.support.rows import read, refused
from tests.support.training_runs import Run, train
from training import datasets
from training.errors import (
    DatasetError,
    EmptyDatasetError,
    EncodingError,
    MalformedRowError,
    MissingFileError,
    TruncatedFileError,
)
from training.kernels.split import SplitError
from training.parameters import CriteoDataset
from training.tables.quick import SAMPLE_CHARACTERS


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERSONALIZE_CACHE", str(tmp_path_factory.mktemp("cache")))


def line(label: str = "0", **fields: str) -> str:
    values = {**dict.fromkeys(CRITEO.numeric, "3"), **dict.fromkeys(CRITEO.categorical, "68fd1e64"), **fields}
    return "\t".join([label, *values.values()])


GOOD = [line("1"), line("0"), line("1", int01="-2", cat05="", int00="")]


def criteo(path: Path, lines: list[str]) -> CriteoDataset:
    path.write_text("".join(text + "\n" for text in lines))
    return CriteoDataset(kind="criteo", path=str(path))


def test_a_file_that_vanished_from_a_copy_is_missed(tmp_path: Path) -> None:
    days = tmp_path / "days"
    days.mkdir()
    for day in ("day_0", "day_1"):
        criteo(days / day, GOOD)
    dataset = CriteoDataset(kind="criteo", path=str(days))
    datasets.materialize(dataset, tmp_path / "lake")
    assert len(read(dataset, tmp_path / "lake")[0]) == 2 * len(GOOD)
    (tmp_path / "lake/interactions/day_1").unlink()
    with pytest.raises(MissingFileError, match=r"interactions lack day_1\. Run the data step again"):
        read(dataset, tmp_path / "lake")


def test_rows_have_the_promised_types_and_missing_values(tmp_path: Path) -> None:
    rows, schema = read(criteo(tmp_path / "train.txt", GOOD))
    assert schema == CRITEO
    assert rows.columns.tolist() == [CRITEO.label, *CRITEO.features]
    (row,) = rows[rows["int01"] < 0].itertuples()
    assert (row.label, row.int01, row.int02, row.cat05, row.cat06) == (1, -2.0, 3.0, "", "68fd1e64")
    assert rows["int00"].isna().tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (line().rsplit("\t", 2)[0], ": 1 of 7 rows is malformed: line 4 has 38 fields instead of 40"),
        (line() + "\tx", ": 1 of 7 rows is malformed: line 4 has 41 fields instead of 40"),
        *(
            (line(int07=text), f", number int07: 1 of 7 fields is not a number: line 4 {text!r}")
            for text in ("abc", "5d", "NaN", "inf", "0x1p3", "1e999", " 5")
        ),
        (line("2"), ", label label: 1 of 7 fields is neither 0 nor 1"),
        (line(""), ", label label: 1 of 7 fields is neither 0 nor 1"),
    ],
)
def test_a_wrong_row_is_named_by_file_and_line(tmp_path: Path, wrong: str, complaint: str) -> None:
    (tmp_path / "day_0").write_text("\n".join(GOOD) + "\n")
    criteo(tmp_path / "day_1", [*GOOD, wrong, *GOOD])
    message = refused(MalformedRowError, CriteoDataset(kind="criteo", path=str(tmp_path)))
    assert f"{tmp_path}/day_1{complaint}" in message


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        pytest.param(gzip.compress(b"", mtime=0), EmptyDatasetError, id="no row"),
        pytest.param(gzip.compress(b"1\t5" * 9_999)[:-20], TruncatedFileError, id="cut off"),
    ],
)
def test_a_packed_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, kind: type[DatasetError]) -> None:
    (tmp_path / "day_0.gz").write_bytes(content)
    assert str(tmp_path / "day_0.gz") in refused(kind, CriteoDataset(kind="criteo", path=str(tmp_path / "day_0.gz")))


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("day_1", "is gzip, but its name does not end in .gz. Rename it."),
        ("day_1.gz", "is not gzip, though its name ends in .gz. Rename it."),
    ],
)
def test_a_file_whose_name_is_wrong_about_gzip_is_named_wherever_it_is(tmp_path: Path, name: str, fault: str) -> None:
    criteo(tmp_path / "day_0", GOOD * (1 + SAMPLE_CHARACTERS // len("".join(GOOD))))
    content = "\n".join(GOOD).encode()
    (tmp_path / name).write_bytes(content if name.endswith(".gz") else gzip.compress(content))
    message = refused(EncodingError, CriteoDataset(kind="criteo", path=str(tmp_path)))
    assert message.endswith(f"{name} {fault}")


@pytest.mark.parametrize(("of_the_first_day", "part"), [(50, "validation"), (90, "fit")])
def test_a_split_by_time_of_rows_of_two_days_says_what_is_missing(
    tmp_path: Path, of_the_first_day: int, part: str
) -> None:
    rows = [f"{row % 2},{'abc'[row % 3]},2026-01-0{1 + (row >= of_the_first_day)}" for row in range(100)]
    (tmp_path / "rows.csv").write_text("\n".join(["label,kind,day", *rows]))
    spec = tmp_path / "dataset.yaml"
    spec.write_text("interactions: rows.csv\nlabel: {column: label}\ncategorical: [kind]\ntimestamp: day\n")
    with pytest.raises(SplitError, match=rf"no {part} rows\. .* rows of more different times.* or set `split: random`"):
        train(tmp_path / "run", "--dataset", "tables", "--spec", str(spec), "--split", "time")


@pytest.mark.parametrize("name", ["train.txt", "train.json", "train.parquet"])
def test_rows_are_the_same_from_the_source_and_from_its_copy(tmp_path: Path, name: str) -> None:
    dataset = criteo(tmp_path / name, GOOD)
    datasets.materialize(dataset, tmp_path / "lake")
    first, _ = read(dataset)
    second, schema = read(dataset, tmp_path / "lake")
    assert schema == CRITEO
    pd.testing.assert_frame_equal(first, second)


def test_real_rows_are_read_without_a_complaint() -> None:
    path = os.environ.get("PERSONALIZATION_CRITEO_SAMPLE")
    if not path:
        pytest.skip("PERSONALIZATION_CRITEO_SAMPLE names no file of Criteo's rows")
    rows, _ = read(CriteoDataset(kind="criteo", path=path))
    assert len(rows) >= 10_000
    assert 0.1 < rows["label"].mean() < 0.5
    assert rows["int01"].min() < 0
    assert 0 < (rows["cat21"] == "").mean() < 1


ROWS = 3_000
MEGABYTES = 10 << 20


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
    assert [f"evaluate: {warning}" for warning in warnings] == [one for one in messages if "by itself predicts" in one]
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
