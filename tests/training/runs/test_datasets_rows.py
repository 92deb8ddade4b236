"""Criteo's rows: correctly typed, and every malformed one is named by file and line, on both engines."""

import gzip
import os
from pathlib import Path

import pandas as pd
import pytest

from features.schema import CRITEO
from tests.support.rows import read
from training import datasets
from training.datasets.errors import EmptyDatasetError, MalformedRowError, OneClassError, TruncatedFileError
from training.parameters import CriteoDataset


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path_factory.mktemp("cache")))


def line(label: str = "0", **fields: str) -> str:
    values = {**dict.fromkeys(CRITEO.numeric, "3"), **dict.fromkeys(CRITEO.categorical, "68fd1e64"), **fields}
    return "\t".join([label, *values.values()])


GOOD = [line("1"), line("0"), line("1", int01="-2", cat05="", int00="")]


def criteo(path: Path, lines: list[str]) -> CriteoDataset:
    path.write_text("".join(text + "\n" for text in lines))
    return CriteoDataset(kind="criteo", path=str(path))


def test_rows_have_the_promised_types_and_missing_values(tmp_path: Path) -> None:
    rows, schema = read(criteo(tmp_path / "train.txt", GOOD))
    assert schema == CRITEO
    assert rows.columns.tolist() == [CRITEO.label, *CRITEO.features]
    (row,) = rows[rows["int01"] < 0].itertuples()
    assert (row.label, row.int01, row.int02, row.cat05, row.cat06) == (1, -2.0, 3.0, "", "68fd1e64")
    assert rows["int00"].isna().tolist() == [False, False, True]


def test_gzip_and_a_folder_of_files_are_read(tmp_path: Path) -> None:
    for name in ("day_0.gz", "day_1.gz"):
        (tmp_path / name).write_bytes(gzip.compress("".join(text + "\n" for text in GOOD).encode()))
    rows, _ = read(CriteoDataset(kind="criteo", path=str(tmp_path)))
    assert len(rows) == 6


def test_windows_line_ends_are_no_part_of_the_last_field(tmp_path: Path) -> None:
    rows, _ = read(criteo(tmp_path / "train.txt", [text + "\r" for text in GOOD]))
    assert set(rows["cat25"]) == {"68fd1e64"}


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (line().rsplit("\t", 2)[0], "38 tab-separated fields instead of 40"),
        (line() + "\tx", "41 tab-separated fields instead of 40"),
        (line(int07="abc"), "'abc' in the numeric column int07 is not a number"),
        (line(int07="5d"), "'5d' in the numeric column int07 is not a number"),
        (line(int07="NaN"), "'NaN' in the numeric column int07 is not a number"),
        (line("2"), "the label is '2', but it must be 0 or 1"),
        (line(""), "the label is '', but it must be 0 or 1"),
        ("", "1 tab-separated fields instead of 40"),
    ],
)
def test_a_wrong_row_is_named_by_file_and_line(tmp_path: Path, wrong: str, complaint: str) -> None:
    (tmp_path / "day_0").write_text("\n".join(GOOD) + "\n")
    criteo(tmp_path / "day_1", [*GOOD, wrong, *GOOD])
    with pytest.raises(MalformedRowError) as caught:
        read(CriteoDataset(kind="criteo", path=str(tmp_path)))
    assert str(caught.value).startswith(f"{tmp_path}/day_1, line 4: {complaint}")


def test_a_truncated_gzip_is_named(tmp_path: Path) -> None:
    lines = [line(str(number % 2), int04=str(number * 7_919)) for number in range(3_000)]
    content = gzip.compress("".join(text + "\n" for text in lines).encode())
    (tmp_path / "day_0.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(TruncatedFileError, match=r"day_0\.gz is truncated or damaged: after line \d+"):
        read(CriteoDataset(kind="criteo", path=str(tmp_path / "day_0.gz")))


def test_a_gzip_of_nothing_is_an_empty_dataset(tmp_path: Path) -> None:
    (tmp_path / "day_0.gz").write_bytes(gzip.compress(b""))
    with pytest.raises(EmptyDatasetError, match=r"no row in .*day_0\.gz"):
        read(CriteoDataset(kind="criteo", path=str(tmp_path / "day_0.gz")))


@pytest.mark.parametrize("label", ["0", "1"])
def test_labels_that_are_all_the_same_are_refused(tmp_path: Path, label: str) -> None:
    with pytest.raises(OneClassError, match=f"All 5 rows of .*train.txt have the label {label}"):
        read(criteo(tmp_path / "train.txt", [line(label)] * 5))


def test_rows_are_the_same_from_the_source_and_from_its_copy(tmp_path: Path) -> None:
    dataset = criteo(tmp_path / "train.txt", GOOD)
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
