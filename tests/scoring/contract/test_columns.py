"""A model with timestamp columns, whose ages are computed from a time that requests may set, and with a multi-valued
column, of which each value counts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import httpx
import lightgbm
import numpy as np
import pytest

from features.bundle import MODEL, Bundle
from features.columns import Reading
from features.schema import Schema
from tests.support.bundles import Record, make_bundle, to_rows
from tests.support.services import RunningService, running_service

SCHEMA = Schema(
    numeric=("age",),
    categorical=("city", "genres"),
    separators={"genres": "|"},
    timestamp="seen_at",
    times={"joined": Reading(), "released": Reading(zone="Europe/Berlin")},
)
AT = "2026-01-31 12:00:00"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle with two timestamp columns; its golden records have them in seconds since 1970."""
    return Bundle.load(make_bundle(tmp_path_factory.mktemp("timed") / "bundle", schema=SCHEMA, values=20, trees=40))


@pytest.fixture(scope="module")
def service(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with this bundle; it is ready, so it has reproduced the golden records."""
    with running_service(bundle.path, tmp_path_factory.mktemp("service")) as running:
        yield running


def scored(client: httpx.Client, **record: Any) -> float:
    answer = client.post("/score", json={"age": 3, "city": "x"} | record)
    assert answer.status_code == 200, answer.text
    return float(answer.json()["probability"])


def test_the_same_time_scores_the_same_in_any_spelling(client: httpx.Client) -> None:
    one = scored(client, released="2025-07-01 08:15:00", at=AT)
    assert one == scored(client, released="2025-07-01T06:15:00Z", at="2026-01-31T13:00:00+01:00")
    assert one == scored(client, released=1751350500, at=1769860800)


def test_the_moment_of_a_request_is_now_unless_it_says_otherwise(client: httpx.Client) -> None:
    weeks = [datetime.now(UTC) - timedelta(weeks=7 * number) for number in range(400)]
    without = [scored(client, joined=week.isoformat(), at=None) for week in weeks[::40]]
    # Seconds pass between the two requests; they don't matter to trees that split at days.
    assert without == [
        scored(client, joined=week.isoformat(), at=datetime.now(UTC).isoformat()) for week in weeks[::40]
    ]
    assert len(set(without)) > 1


def test_the_items_of_a_ranking_share_the_user_s_moment(client: httpx.Client) -> None:
    items: list[dict[str, Any]] = [
        {"released": "2001-05-06"},
        {"released": "2025-05-06", "at": "2025-05-07"},
        {"released": None},
    ]
    query = {"user": {"age": 3, "city": "x", "at": AT}, "items": items}
    answer = client.post("/rank", json=query).json()["items"]
    found = {one["index"]: one["probability"] for one in answer}
    assert found == {index: scored(client, **({"at": AT} | item)) for index, item in enumerate(items)}


@pytest.mark.parametrize("value", ["soon", "2026-02-30", "31/12/2025", "1e300", True, [1], 1e15, ""])
def test_what_is_no_time_is_refused_by_the_name_of_its_field(client: httpx.Client, value: object) -> None:
    for body, field in (
        ({"released": value}, "released"),
        ({"records": [{"age": 1}, {"at": value}]}, "records[...].at"),
    ):
        answer = client.post("/score", json=body)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["code"] == "wrong_type"
        assert answer.json()["error"]["field"] in {field, "records[1].at"}


def genres(bundle: Bundle) -> list[str]:
    """Three values that the model knows."""
    texts = (str(golden.record["genres"]) for golden in bundle.click_model.golden)
    return sorted({value.strip() for text in texts for value in text.split("|")} - {""})[:3]


def test_order_repetition_and_spaces_make_no_difference(client: httpx.Client, bundle: Bundle) -> None:
    orders = ["|".join(order) for order in permutations(genres(bundle))]
    odd = " | ".join([*genres(bundle), "", genres(bundle)[0]])
    records = [{"age": 20, "genres": text} for text in [*orders, odd]]
    assert len(set(client.post("/score", json={"records": records}).json()["probabilities"])) == 1


def test_missing_is_no_value_in_whatever_form(client: httpx.Client) -> None:
    records: list[dict[str, Any]] = [{"age": 20}, *({"age": 20, "genres": text} for text in (None, "", " | "))]
    assert len(set(client.post("/score", json={"records": records}).json()["probabilities"])) == 1


def test_ranking_splits_the_field_too(client: httpx.Client, bundle: Bundle) -> None:
    items = [{"genres": value} for value in genres(bundle)]
    ranked = client.post("/rank", json={"user": {"age": 20}, "items": items}).json()
    scored = client.post("/score", json={"records": [{"age": 20} | item for item in items]}).json()["probabilities"]
    assert {one["index"]: one["probability"] for one in ranked["items"]} == dict(enumerate(scored))


def test_an_explanation_names_the_column_once(client: httpx.Client, bundle: Bundle) -> None:
    sent: Record = {"age": 20.0, "city": "", "genres": "|".join(genres(bundle)), "at": 1769860800.0}
    answer = client.post("/explain", json=sent).json()
    contributions = {one["feature"]: one["contribution"] for one in answer["contributions"]}
    assert sorted(contributions) == ["age", "city", "genres", "joined", "released"]
    assert answer["average"] + sum(contributions.values()) == pytest.approx(answer["raw_score"], abs=1e-9)
    model = lightgbm.Booster(model_file=bundle.path / MODEL)
    expected = np.asarray(model.predict(to_rows(SCHEMA, [sent]).encode(bundle.click_model.encoder)))
    assert answer["probability"] == pytest.approx(float(expected[0]), abs=1e-12)
