"""What is stored of each user depends on what they chose and when, and not on the order of rows and files."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from recommend import histories
from recommend.histories import Histories
from training.datasets.described.spec import load_spec
from training.engines.reading.interactions import read_chosen
from training.stages.snapshots import write_snapshots

ROWS = pd.DataFrame(
    [("u1", "b", "2026-01-02"), ("u1", "c", "2026-01-01"), ("u1", "a", "2026-01-02"), ("u2", "b", "2026-01-01")],
    columns=["user", "item", "day"],
)


def stored(folder: Path, rows: pd.DataFrame, **more: object) -> Histories:
    """The histories of the choices in these rows."""
    folder.mkdir()
    rows.to_csv(folder / "rows.csv", index=False)
    keys = {"users": {"key": "user"}, "items": {"key": "item"}}
    config = {"interactions": "rows.csv", "label": "positives", "categorical": ["item"], **keys, **more}
    (folder / "dataset.yaml").write_text(yaml.safe_dump(config))
    spec = load_spec(folder / "dataset.yaml")
    write_snapshots(folder / "made", spec, read_chosen(spec))
    return Histories(folder / "made" / histories.FILE, ["a", "b", "c"])


@pytest.mark.parametrize("more", [{}, {"timestamp": "day"}, {"timestamp": "day", "recommend_seen": True}])
def test_the_order_of_rows_changes_no_history(tmp_path: Path, more: dict[str, object]) -> None:
    versions = {
        stored(tmp_path / str(seed), ROWS.sample(frac=1, random_state=seed), **more).version for seed in range(5)
    }
    assert len(versions) == 1


def test_choices_of_one_time_are_in_the_order_of_the_items_keys(tmp_path: Path) -> None:
    """As the recommender learns from them: see `recommend.interactions.Interactions.in_order`."""
    known = stored(tmp_path / "rows", ROWS, timestamp="day").find("u1")
    assert known is not None
    assert known.chosen.tolist() == [2, 0, 1]
