"""A whole run on tables where one genre among several decides the click, and the resulting service."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from features.bundle import Bundle
from tests.support.described_tables import write_tables
from tests.support.services import running_service
from tests.support.training_runs import Run, train

pytestmark = pytest.mark.full

ROWS = 3_000
GENRES = (
    "Action",
    "Comedy",
    "Crime",
    "Drama",
    "Family",
    "Horror",
    "Noir",
    "Romance",
    "Sci-Fi",
    "War",
    "Western",
    "Music",
)
DECISIVE = "Noir"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One interaction for each of `ROWS` items. No two have the same genres, so that every held-out row has a
    combination that nobody has seen; of films noirs 85 of 100 are clicked, of others 15."""
    folder = tmp_path_factory.mktemp("films")
    random = np.random.default_rng(11)
    every = [chosen for number in (3, 4, 5, 6, 7) for chosen in combinations(GENRES, number)]
    films = [random.permutation(every[index]) for index in random.choice(len(every), ROWS, replace=False)]
    noir = np.array([DECISIVE in film for film in films])
    items = pd.DataFrame({"item_id": range(ROWS), "genres": ["|".join(film) for film in films]})
    users = pd.DataFrame({"user_id": range(50), "age": random.integers(18, 80, 50)})
    clicks = pd.DataFrame({"user_id": random.integers(0, 50, ROWS), "item_id": range(ROWS)})
    clicks["clicked"] = (random.random(ROWS) < np.where(noir, 0.85, 0.15)).astype(int)
    spec = {
        **write_tables(folder, interactions=clicks, users=users, items=items),
        "numeric": ["age"],
        "categorical": [{"column": "genres", "separator": "|"}],
    }
    (folder / "split.yaml").write_text(yaml.safe_dump(spec))
    (folder / "whole.yaml").write_text(yaml.safe_dump(spec | {"categorical": ["genres"]}))
    return folder


@pytest.fixture(scope="module")
def whole(tables: Path) -> Run:
    """A run that treats the field as one category."""
    return train(tables / "whole", "--dataset", "tables", "--spec", str(tables / "whole.yaml"))


@pytest.fixture(scope="module")
def split(tables: Path, whole: Run) -> Run:
    """A run with separate genres, compared with the model that treats the field as one category."""
    options = ("--dataset", "tables", "--spec", str(tables / "split.yaml"), "--champion", whole.result.bundle)
    return train(tables / "split", *options)


def test_the_genre_that_decides_is_found_in_combinations_that_nobody_has_seen(whole: Run, split: Run) -> None:
    assert whole.result.metrics["auc"] < 0.6
    assert split.result.metrics["auc"] > 0.8  # knowing the rule itself gives 0.85


def test_a_separator_leaves_every_row_in_its_part_and_the_champion_comparable(whole: Run, split: Run) -> None:
    assert split.result.rows == whole.result.rows
    champion = split.result.metrics["champion"]
    assert champion["not_comparable"] is None
    assert champion["auc"] == whole.result.metrics["auc"]


def test_only_a_schema_with_separators_says_so(whole: Run, split: Run) -> None:
    assert "separators" not in json.loads((Path(whole.result.bundle) / "schema.json").read_bytes())
    assert Bundle.load(Path(split.result.bundle)).schema.separators == {"genres": "|"}


def test_the_report_says_what_the_column_holds_and_measures_each_frequent_genre(split: Run) -> None:
    page = (Path(split.result.bundle) / "report.html").read_text(encoding="utf-8")
    assert "<b>genres</b> has several values per field, separated by <code>&#34;|&#34;</code>" in page
    named = page.partition("Most frequent in the training rows: ")[2].partition("</p>")[0]
    genres = [part.split(" (")[0] for part in named.split(", ") if " (" in part]
    assert set(genres) < set(GENRES)
    assert len(genres) == 10
    measured = {one["value"]: one["rows"] for one in split.result.metrics["slices"] if one["column"] == "genres"}
    held_out = split.result.rows["held_out"]
    assert set(measured) <= {*GENRES, None}
    assert sum(measured.values()) > held_out  # a row is in several


def test_the_service_finds_it_too(split: Run, tmp_path: Path) -> None:
    bundle = Bundle.load(Path(split.result.bundle))
    with running_service(bundle.path, tmp_path) as service:  # is ready once it has reproduced the golden records
        records: list[dict[str, Any]] = [{"age": 30, "genres": "War|Noir|Music"}, {"age": 30, "genres": "War|Music"}]
        noir, other = service.client.post("/score", json={"records": records}).json()["probabilities"]
        golden = [dict(one.record) for one in bundle.click_model.golden]
        scored = service.client.post("/score", json={"records": golden}).json()["probabilities"]
        explained = service.client.post("/explain", json=records[0]).json()["contributions"]
    assert noir > 0.6
    assert other < 0.4
    assert scored == pytest.approx([one.probability for one in bundle.click_model.golden], abs=1e-12)
    assert explained[0]["feature"] == "genres"
