"""A champion is measured as it serves, and only on rows that it can't have trained on."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.support.training_runs import Run, train

ROWS = 3_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of which one in three is clicked, and nearly all of one pair of tags; one shop in ten is `NA`."""
    folder = tmp_path_factory.mktemp("shop")
    random = np.random.default_rng(4)
    tags = random.choice(["a|b", "a|c", "b|c"], ROWS)
    rows = pd.DataFrame({"number": range(ROWS), "tags": tags, "shop": random.choice([*"stuvwxyz", "k", "NA"], ROWS)})
    rows["hit"] = (random.random(ROWS) < np.where(tags == "a|b", 0.9, 0.05)).astype(int)
    rows.to_csv(folder / "rows.csv", index=False)
    return folder


def run_of(folder: Path, name: str, *options: str, **changed: Any) -> Run:
    config = {"interactions": "rows.csv", "label": {"column": "hit"}, "numeric": ["number"]}
    config |= {"categorical": ["tags", "shop"], **changed}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
    return train(folder / name, "--dataset", "tables", "--spec", str(folder / f"{name}.yaml"), *options)


def test_a_champion_for_which_other_words_were_missing_has_seen_held_out_rows(folder: Path) -> None:
    """Rows with such a word have another hash now, and so another side."""
    champion = run_of(folder, "champion").result.bundle
    beside = run_of(folder, "words", "--champion", champion, missing=["", "NA"])
    assert beside.result.metrics["champion"]["not_comparable"] == (
        "other columns decided its split (number (number without 'NA'), number (number), shop (text without 'NA'), "
        "shop (text), tags (text without 'NA')), so it has seen some of these rows"
    )
    other = run_of(folder, "others", "--champion", beside.result.bundle, missing=["NA"])
    assert other.result.metrics["champion"]["log_loss"] == beside.result.metrics["log_loss"]
