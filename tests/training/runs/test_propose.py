"""`init-data` tries keys, crosses and factors, and proposes what helps on rows that were held out."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from personalize.commands.app import app
from training import propose

ROWS = 6_000


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path_factory.mktemp("cache")))


def tables(folder: Path, *, matters: bool, columns: bool = True) -> Path:
    """Users and items of two hidden kinds: 85 of 100 clicks are on an item of the user's own kind, if it `matters`."""
    random = np.random.default_rng(8)
    clicks = pd.DataFrame({"user_id": random.integers(0, 60, ROWS), "item_id": random.integers(0, 50, ROWS)})
    liked = (clicks["user_id"] + clicks["item_id"]) % 2 == 0 if matters else np.zeros(ROWS, dtype=np.bool_)
    clicks["clicked"] = (random.random(ROWS) < np.where(liked, 0.85, 0.15)).astype(int)
    if columns:
        ages = pd.DataFrame({"user_id": range(60), "age": random.integers(16, 80, 60)})
        ages.to_csv(folder / "users.csv", index=False)
        clicks["seen_at"] = pd.date_range("2026-01-01", periods=ROWS, freq="min").astype(str)
    clicks.to_csv(folder / "interactions.csv", index=False)
    return folder


def drafted(folder: Path, *options: str) -> tuple[dict[str, Any], str]:
    """The config that `init-data` writes, as YAML reads it and as text."""
    done = CliRunner().invoke(app, ["init-data", str(folder), "--json", *options])
    assert done.exit_code == 0, done.output
    written = Path(json.loads(done.stdout)["path"])
    content: dict[str, Any] = yaml.safe_load(written.read_text())
    return content, written.read_text()


def test_keys_and_factors_are_proposed_where_what_users_like_is_in_no_column(tmp_path: Path) -> None:
    content, text = drafted(tables(tmp_path, matters=True))
    assert content["categorical"] == ["user_id", "item_id"]
    assert content["factors"] == ["user_id", "item_id"]
    assert "# +0." in next(line for line in text.splitlines() if line.startswith("factors"))
    assert "They tell nothing of new users and items" in text


def test_what_gains_nothing_is_left_out_with_what_it_reached(tmp_path: Path) -> None:
    content, text = drafted(tables(tmp_path, matters=False))
    assert "categorical" not in content
    assert "factors" not in content
    assert "AUC on later rows)" in text


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_key_of_pure_noise_gains_nothing(tmp_path: Path, seed: int) -> None:
    """Few rows differ without the key, so it would decide which are held out: only the same rows show what it gains."""
    random = np.random.default_rng(seed)
    clicks = pd.DataFrame(
        {"user_id": random.integers(0, 300, ROWS), "device": random.choice(["tv", "web", "app"], ROWS)}
    )
    clicks["page"] = random.choice(["home", "search", "offer", "news"], ROWS)
    chance = clicks["device"].map({"tv": 0.2, "web": 0.4, "app": 0.7}) - 0.15 * (clicks["page"] == "news")
    clicks["clicked"] = (random.random(ROWS) < chance).astype(int)
    clicks.to_csv(tmp_path / "interactions.csv", index=False)
    content, text = drafted(tmp_path)
    assert content["users"]["key"] == "user_id"
    assert content["categorical"] == ["device", "page"]
    (gain,) = re.findall(r"user_id: as categories .*\n# +\(tried: (\S+) AUC on held-out rows\)", text)
    assert float(gain) < 0.005


def test_interactions_of_nothing_but_keys_and_label_are_enough(tmp_path: Path) -> None:
    content, text = drafted(tables(tmp_path, matters=True, columns=False))
    assert content["categorical"] == ["user_id", "item_id"]
    assert content["factors"] == ["user_id", "item_id"]
    assert "AUC on held-out rows" in text


def test_without_a_trial_the_keys_stay_out(tmp_path: Path) -> None:
    content, text = drafted(tables(tmp_path, matters=True), "--no-trial")
    assert "categorical" not in content
    assert "user_id and item_id: as categories" in text


@pytest.mark.full
def test_a_large_table_is_tried_on_its_first_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a pattern in all rows but the first 5,000, nothing is found in those."""
    tables(tmp_path, matters=True)
    rows = pd.read_csv(tmp_path / "interactions.csv")
    rows.loc[:5_000, "clicked"] = np.random.default_rng(1).integers(0, 2, 5_001)
    later = pd.concat([rows, *[rows[5_001:]] * 9], ignore_index=True)
    later["seen_at"] = pd.date_range("2026-01-01", periods=len(later), freq="min").astype(str)
    later.to_csv(tmp_path / "interactions.csv", index=False)
    assert "factors" in drafted(tmp_path)[0]
    monkeypatch.setattr(propose, "SAMPLE_ROWS", 5_000)
    assert "factors" not in drafted(tmp_path, "--force")[0]
