"""Tables in days: what a run over the latest ones learns."""

from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from pyarrow import csv, parquet

from tests.support.training_runs import train
from tools.paths import ROOT

EXAMPLE = ROOT / "examples/tables"
DAYS = ("2026-11-01", "2026-11-02", "2026-11-03")
ROWS = 1_000
"""Interactions of a day."""


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path_factory.mktemp("cache")))


def rows() -> pa.Table:
    return csv.read_csv(EXAMPLE / "interactions.csv")


def in_days(folder: Path, *days: str) -> tuple[str, ...]:
    """A config of the latest two of these days of the example, in two files each."""
    for day in days:
        place = folder / "clicks" / f"day={day}"
        place.mkdir(parents=True)
        for part in range(2):
            own = rows().slice(DAYS.index(day) * ROWS + part * ROWS // 2, ROWS // 2)
            parquet.write_table(own, place / f"part-{part}.parquet")
    return configured(folder, {"path": "clicks", "days": {"column": "day", "last": 2}})


def configured(folder: Path, interactions: object) -> tuple[str, ...]:
    spec = yaml.safe_load((EXAMPLE / "dataset.yaml").read_text(encoding="utf-8"))
    for name in ("users", "items"):
        spec[name]["path"] = str(EXAMPLE / f"{name}.csv")
    spec["interactions"] = interactions
    (folder / "dataset.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    return "--dataset", "tables", "--spec", str(folder / "dataset.yaml")


def test_the_model_is_that_of_the_same_rows_in_one_file(tmp_path: Path) -> None:
    for name in ("days", "file"):
        (tmp_path / name).mkdir()
    csv.write_csv(rows().slice(ROWS), tmp_path / "file" / "interactions.csv")
    one_file = train(tmp_path / "run-file", *configured(tmp_path / "file", "interactions.csv"))
    in_folders = train(tmp_path / "run-days", *in_days(tmp_path / "days", *DAYS))
    assert in_folders.result.metrics == one_file.result.metrics
    for name in ("model.txt", "encoder/hashes.npy", "encoder/rates.npy"):
        assert Path(in_folders.result.bundle, name).read_bytes() == Path(one_file.result.bundle, name).read_bytes()
