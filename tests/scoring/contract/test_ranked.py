"""`POST /recommend` with a second stage, which reads columns of users from the request's `context`."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from features.bundle import TreesError
from recommend.recommender import FOLDER, Recommender
from scoring.model.model import open_ranking
from scoring.model.stored import read_stored
from tests.scoring.contract.conftest import refusal
from tests.support.recommenders import asked, items, make_recommending_bundle, ranking_recommender, write_snapshots
from tests.support.services import RunningService, running_service


@pytest.fixture(scope="module")
def ranking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that is ready, so it has reproduced the golden requests of both stages."""
    bundle = make_recommending_bundle(tmp_path_factory.mktemp("films") / "bundle", ranking_recommender())
    arguments = ["--snapshots", str(write_snapshots(tmp_path_factory.mktemp("snapshots")))]
    with running_service(bundle, tmp_path_factory.mktemp("service"), arguments=arguments) as service:
        yield service


def ranked(running: RunningService, **body: object) -> list[str]:
    return items(asked(running, **{"history": ["d"], "top": 3, **body}))


def test_trees_that_read_beyond_their_inputs_are_not_loaded(tmp_path: Path) -> None:
    bundle = make_recommending_bundle(tmp_path / "bundle", ranking_recommender())
    model = bundle / FOLDER / "ranking" / "model.txt"
    model.write_text(re.sub("split_feature=[0-9]", "split_feature=9", model.read_text(), count=1))
    with pytest.raises(TreesError, match=r"model\.txt was altered.*splits by an input beyond the"):
        Recommender.load(bundle / FOLDER, open_ranking)


def test_the_context_decides_between_items_that_the_first_stage_holds_equal(ranking: RunningService) -> None:
    assert ranked(ranking, context={"age": 20})[0] == "a"
    assert set(ranked(ranking, context={"age": 70})[:2]) == {"b", "c"}


def test_click_probabilities_are_those_of_the_context_before_those_of_stored_columns(ranking: RunningService) -> None:
    found = []
    for context, age in (({}, 40), ({"age": 5}, 5), ({"age": None}, None)):
        (only,) = asked(ranking, user="u2", context=context, exclude=["a", "b", "c"])["items"]
        scored = ranking.client.post("/score", json={"age": age}).json()["probability"]
        assert (only["item"], only["probability"]) == ("d", scored)
        found.append(scored)
    assert len({*found}) == 3


def test_a_column_that_is_null_is_missing(ranking: RunningService) -> None:
    assert ranked(ranking, context={"age": None, "town": None}) == ranked(ranking) == ranked(ranking, context={})


def test_a_whole_number_is_a_category(ranking: RunningService) -> None:
    assert ranked(ranking, context={"town": 17}) == ranked(ranking, context={"town": "17"})


@pytest.mark.parametrize(
    ("context", "code", "field"),
    [
        ({"year": 3}, "unknown_field", "context.year"),
        ({"age": "old"}, "wrong_type", "context.age"),
        ({"town": 1.5}, "wrong_type", "context.town"),
        ({"age": [1]}, "wrong_type", "context[...]"),
        ([], "wrong_type", "context"),
    ],
)
def test_a_wrong_context_is_refused_by_column(ranking: RunningService, context: object, code: str, field: str) -> None:
    assert refusal(ranking, "/recommend", {"history": ["d"], "context": context}) == (400, code, field)


def test_stored_texts_are_read_as_the_columns_that_they_are() -> None:
    columns = ranking_recommender().user_columns
    assert read_stored({"age": "31", "town": "17", "shoe": "44"}, columns) == {"age": 31, "town": "17"}
    assert read_stored({"age": "", "town": ""}, columns) == {"age": None, "town": ""}
