"""A model with a multi-valued column: the record has one text, and each value in it counts."""

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import httpx
import lightgbm
import numpy as np
import pytest

from features.bundle import MODEL, Bundle
from features.schema import Schema
from tests.support.bundles import Record, make_bundle, to_rows
from tests.support.services import RunningService, running_service

SCHEMA = Schema(numeric=("age",), categorical=("city", "genres"), separators={"genres": "|"})


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle with a multi-valued column."""
    return Bundle.load(make_bundle(tmp_path_factory.mktemp("films") / "bundle", schema=SCHEMA, values=20))


@pytest.fixture(scope="module")
def film_service(films: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with this bundle; it is ready, so it has reproduced the golden records."""
    with running_service(films.path, tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture
def client(film_service: RunningService) -> httpx.Client:
    """A client with a valid key."""
    return film_service.client


def genres(films: Bundle) -> list[str]:
    """Three values that the model knows."""
    texts = (str(golden.record["genres"]) for golden in films.click_model.golden)
    return sorted({value.strip() for text in texts for value in text.split("|")} - {""})[:3]


def test_order_repetition_and_spaces_make_no_difference(client: httpx.Client, films: Bundle) -> None:
    orders = ["|".join(order) for order in permutations(genres(films))]
    odd = " | ".join([*genres(films), "", genres(films)[0]])
    records = [{"age": 20, "genres": text} for text in [*orders, odd]]
    assert len(set(client.post("/score", json={"records": records}).json()["probabilities"])) == 1


def test_missing_is_no_value_in_whatever_form(client: httpx.Client) -> None:
    records: list[dict[str, Any]] = [{"age": 20}, *({"age": 20, "genres": text} for text in (None, "", " | "))]
    assert len(set(client.post("/score", json={"records": records}).json()["probabilities"])) == 1


def test_ranking_splits_the_field_too(client: httpx.Client, films: Bundle) -> None:
    items = [{"genres": value} for value in genres(films)]
    ranked = client.post("/rank", json={"user": {"age": 20}, "items": items}).json()
    scored = client.post("/score", json={"records": [{"age": 20} | item for item in items]}).json()["probabilities"]
    assert {one["index"]: one["probability"] for one in ranked["items"]} == dict(enumerate(scored))


def test_an_explanation_names_the_column_once(client: httpx.Client, films: Bundle) -> None:
    answer = client.post("/explain", json={"age": 20, "genres": "|".join(genres(films))}).json()
    contributions = {one["feature"]: one["contribution"] for one in answer["contributions"]}
    assert sorted(contributions) == ["age", "city", "genres"]
    assert answer["average"] + sum(contributions.values()) == pytest.approx(answer["raw_score"], abs=1e-9)
    record: Record = {"age": 20.0, "city": "", "genres": "|".join(genres(films))}
    assert answer["probability"] == pytest.approx(_by_training(films, record), abs=1e-12)


def _by_training(bundle: Bundle, record: Record) -> float:
    model = lightgbm.Booster(model_file=bundle.path / MODEL)
    return float(np.asarray(model.predict(to_rows(SCHEMA, [record]).encode(bundle.click_model.encoder)))[0])
