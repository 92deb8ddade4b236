"""Days are counted once: an earlier bundle's counts are merged with new ones, and give the same tables."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from pyarrow import parquet

from features.counts import Counts
from features.schema import CRITEO
from tests.support.training_runs import Run, train
from training import datasets
from training.datasets.manifest import Manifest
from training.datasets.progress import silent
from training.engines.local.engine import LocalEngine
from training.engines.local.rows import LocalRows
from training.kernels.split import Part
from training.parameters import CriteoDataset, SyntheticDataset, TablesDataset, TrainingParameters
from training.protocols import CountTable
from training.stages.days import DayCounts, count_days, table_names

PARAMETERS = TrainingParameters(folds=3)


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERSONALIZE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the days 8 to 11, 1,500 rows each."""
    place = tmp_path_factory.mktemp("days")
    for day in range(8, 12):
        datasets.materialize(SyntheticDataset(rows=1_500, seed=day), place / f"lake{day}")
        (place / "raw").mkdir(exist_ok=True)
        (place / f"lake{day}" / "dt=all" / "part-00000.tsv").rename(place / "raw" / f"day_{day}")
    return place / "raw"


@dataclass(frozen=True, kw_only=True)
class Window:
    """The prepared training rows of the latest days, and the names of their tables."""

    rows: LocalRows
    manifest: Manifest
    names: dict[str, str]

    def counted(self, work: Path, *, earlier: Path | None = None) -> DayCounts:
        return count_days(self.rows, PARAMETERS, names=self.names, earlier=earlier, folder=work)


def window(folder: Path, work: Path, *, days: int) -> Window:
    dataset = CriteoDataset(kind="criteo", path=str(folder), days=days)
    manifest = datasets.describe(dataset)
    source = LocalEngine(data_size=0, processes=1).open_source(dataset, None, silent)
    rows, count = source.prepare(PARAMETERS, work / "rows")
    return Window(
        rows=rows.divided(PARAMETERS, count=count).part(Part.FIT, Part.VALIDATION),
        manifest=manifest,
        names=table_names(manifest, CRITEO, PARAMETERS),
    )


@pytest.fixture(scope="module")
def latest(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Window:
    """The latest three days."""
    return window(folder, tmp_path_factory.mktemp("work"), days=3)


def table(counted: CountTable, file: Path) -> list[dict[str, int]]:
    """The table's counts, fold by fold."""
    counted.write(file, by_fold=True)
    rows: list[dict[str, int]] = parquet.read_table(file).to_pylist()
    return rows


def test_the_window_holds_the_latest_days_by_number(latest: Window) -> None:
    assert [file.partition for file in latest.manifest.partitions] == ["day_9", "day_10", "day_11"]
    assert set(latest.rows.days) == {"day_9", "day_10", "day_11"}


def test_days_counted_one_by_one_add_up_to_one_count_of_all(latest: Window, tmp_path: Path) -> None:
    counted = latest.counted(tmp_path)
    recomputed = latest.rows.count(PARAMETERS, tmp_path)
    assert table(counted.total, tmp_path / "total") == table(recomputed, tmp_path / "at-once")
    assert len(counted.tables) == 3


def test_known_days_are_merged_without_their_rows(latest: Window, tmp_path: Path) -> None:
    """Yesterday's bundle has two of the three days, so the rows of those two are not needed."""
    earlier = tmp_path / "counts"
    earlier.mkdir()
    for name, counted in latest.counted(tmp_path).tables.items():
        if "day_11" not in name:
            counted.write(earlier / f"{name}.parquet", by_fold=True)
    only_new = Window(rows=latest.rows.day("day_11"), manifest=latest.manifest, names=latest.names)
    merged = only_new.counted(tmp_path, earlier=earlier)
    assert merged.known == ("day_10", "day_9")
    recomputed = latest.rows.count(PARAMETERS, tmp_path)
    assert table(merged.total, tmp_path / "total") == table(recomputed, tmp_path / "at-once")


def test_a_bundles_tables_of_days_merge_by_themselves(latest: Window, tmp_path: Path) -> None:
    counted = latest.counted(tmp_path)
    for name, of_day in counted.tables.items():
        of_day.write(tmp_path / f"{name}.parquet", by_fold=True)
    counted.total.write(tmp_path / "total.parquet", by_fold=False)
    merged = Counts.merge(Counts.read(tmp_path / f"{name}.parquet") for name in counted.tables)
    total = Counts.read(tmp_path / "total.parquet")
    assert (merged.hash.tolist(), merged.clicks.tolist()) == (total.hash.tolist(), total.clicks.tolist())


@pytest.mark.parametrize("change", [{"seed": 7}, {"folds": 4}, {"train_fraction": 0.7}])
def test_a_table_counted_another_way_has_another_name(latest: Window, change: dict[str, float]) -> None:
    other = table_names(latest.manifest, CRITEO, PARAMETERS.model_copy(update=change))
    assert set(other) == set(latest.names)
    assert not set(other.values()) & set(latest.names.values())


def test_a_changed_day_has_another_name_and_the_others_keep_theirs(
    latest: Window, folder: Path, tmp_path: Path
) -> None:
    for file in sorted(folder.iterdir()):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    changed = (tmp_path / "day_10").read_text().splitlines(keepends=True)
    (tmp_path / "day_10").write_text("".join(changed[1:]))
    manifest = datasets.describe(CriteoDataset(kind="criteo", path=str(tmp_path), days=3))
    names = table_names(manifest, CRITEO, PARAMETERS)
    assert {day for day, name in names.items() if name != latest.names[day]} == {"day_10"}


def test_a_time_split_depends_on_all_days_so_none_is_counted_alone(latest: Window) -> None:
    assert table_names(latest.manifest, CRITEO, TrainingParameters.model_validate({"split": "time"})) == {}


def test_three_tables_are_not_three_days(tmp_path: Path) -> None:
    """Tables are partitions of the manifest like days, but their rows are joined before they are counted."""
    for table, rows in {
        "users": "user,age\nu,1\n",
        "items": "item,kind\ni,k\n",
        "clicks": "user,item,hit\nu,i,1\nu,i,0\n",
    }.items():
        (tmp_path / f"{table}.csv").write_text(rows)
    entities = "users: {path: users.csv, key: user}\nitems: {path: items.csv, key: item}\n"
    (tmp_path / "spec.yaml").write_text(f"interactions: clicks.csv\n{entities}label: {{column: hit}}\nnumeric: [age]\n")
    manifest = datasets.describe(TablesDataset(kind="tables", spec=tmp_path / "spec.yaml"))
    assert len(manifest.partitions) == 3
    assert table_names(manifest, CRITEO, PARAMETERS) == {}


@pytest.mark.full
def test_a_model_of_merged_days_is_the_model_of_all_rows(folder: Path, tmp_path: Path) -> None:
    def of_days(days: int, output: Path, *options: str, place: Path = folder) -> Run:
        dataset = ("--dataset", "criteo", "--path", str(place), "--days", str(days))
        return train(output, *dataset, *options)

    (tmp_path / "raw").mkdir()
    for day in (8, 9, 10):
        (tmp_path / "raw" / f"day_{day}").write_bytes((folder / f"day_{day}").read_bytes())
    yesterday = of_days(3, tmp_path / "yesterday", place=tmp_path / "raw")
    today = of_days(3, tmp_path / "today", "--champion", yesterday.result.bundle)
    afresh = of_days(3, tmp_path / "afresh")
    assert any("counts of 2 of 3 days reused" in line for line in today.progress)
    for name in ("model.txt", "encoder/hashes.npy", "encoder/rates.npy", "reference.json", "golden.jsonl"):
        assert Path(today.result.bundle, name).read_bytes() == Path(afresh.result.bundle, name).read_bytes()
    tables = [sorted(Path(run.result.bundle, "counts").iterdir()) for run in (today, afresh)]
    assert [table.read_bytes() for table in tables[0]] == [table.read_bytes() for table in tables[1]]
