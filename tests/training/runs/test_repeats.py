"""With `recommend_seen`, users are recommended again what they chose."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recommend import histories
from recommend.histories import Histories
from recommend.recommender import FOLDER, Recommender, read_golden
from recommend.stored import FOLDER as SNAPSHOTS
from scoring.model.model import open_ranking
from tests.training.runs.test_recommended import EACH, ITEMS, USERS, run, written
from training.errors import SpecError
from training.tables.files import load_spec


def repeated(folder: Path) -> Path:
    """Users who click on one item of their half again and again, and now and then on another one."""
    spec = written(folder, recommend_seen=True)
    chance = np.random.default_rng(9)
    rows = []
    for user in range(USERS):
        own = chance.permutation(np.arange(user % 2, ITEMS, 2))
        items = [own[0] if place % 2 else own[place // 2 + 1] for place in range(EACH)]
        rows += [(f"u{user}", f"i{item}", 1, 1_700_000_000 + place) for place, item in enumerate(items)]
    clicks = pd.DataFrame(rows, columns=["user_id", "item_id", "clicked", "at"])
    others = clicks.sample(frac=0.5, random_state=1).assign(clicked=0)
    pd.concat([clicks, others]).to_csv(folder / "interactions.csv", index=False)
    return spec


def test_what_users_chose_is_recommended_again_if_the_dataset_config_says_so(tmp_path: Path) -> None:
    made = run(tmp_path, repeated(tmp_path))
    judged = made.result.metrics["recommender"]
    assert judged["repeats"]
    assert judged["ranking_weight"] > 0
    assert judged["figures"]["recommender"]["ndcg"] > judged["figures"]["first stage alone"]["ndcg"] + 0.1
    bundle = Path(made.result.bundle)
    assert "also of those that the user had chosen" in (bundle / "report.html").read_text()
    found = Recommender.load(bundle / FOLDER, open_ranking)
    assert found.golden(42) == read_golden(bundle / FOLDER)
    clicks = pd.read_csv(tmp_path / "interactions.csv").query("clicked == 1 and user_id == 'u6'").sort_values("at")
    stored = Histories(bundle.parent / SNAPSHOTS / histories.FILE, found.items).find("u6")
    assert stored is not None
    assert [found.items[item] for item in stored.chosen] == clicks["item_id"].tolist()
    best = found.recommend(stored.chosen, 3, np.empty(0, np.int64))
    assert clicks["item_id"].mode()[0] in {found.items[one.item] for one in best}


def test_recommending_again_needs_users_and_items_and_times(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="`recommend_seen` is for recommendations"):
        load_spec(written(tmp_path, users=None, categorical=["kind"], recommend_seen=True))
    with pytest.raises(SpecError, match="`recommend_seen` needs the order of choices"):
        load_spec(written(tmp_path, timestamp=None, recommend_seen=True))
