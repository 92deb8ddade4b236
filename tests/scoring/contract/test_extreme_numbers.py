"""Numbers that no column, key or count can be: the answer names the field, and is never the service's own fault."""

from collections.abc import Iterator

import pytest

from features.columns import Reading
from features.schema import Schema
from tests.support.recommenders import make_recommending_bundle, ranking_recommender, write_snapshots
from tests.support.services import RunningService, running_service

SCHEMA = Schema(
    timestamp="shown",
    numeric=("age",),
    categorical=("genre",),
    times={"seen": Reading(), "born": Reading(zone="Europe/Berlin")},
)
RECOMMENDER = ranking_recommender()
DIGITS = "9" * 400
LONG = "9" * 5_000
"""More digits than Python makes a number of (its limit is 4,300)."""
NUMBERS = [
    *("0", "-0", "1e308", "-1e308", "1.7976931348623157e308", "1e305", "5e-324", "1e-400", "1e309", "-1e400"),
    *("9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775809"),
    *("18446744073709551616", "1e18", "1e19", "1e20", "253402300800", "1e16", "1.5", "0.1", "-1"),
    *(DIGITS, f"-{DIGITS}", f"{DIGITS}.0", f"{DIGITS}e-400", LONG, f"0.{LONG}", f"1e{LONG}", f"{LONG}e-{LONG}"),
]
PLACES = [
    ("/score", '{"age": #}', "age"),
    ("/score", '{"genre": #}', "genre"),
    ("/score", '{"seen": #}', "seen"),
    ("/score", '{"seen": "#"}', "seen"),
    ("/score", '{"born": #}', "born"),
    ("/score", '{"seen": 0, "at": #}', "at"),
    ("/score", '{"user": #}', "user"),
    ("/score", '{"item": #}', "item"),
    ("/score", '{"records": [{"age": 1}, {"born": #}]}', "born"),
    ("/explain", '{"age": #, "seen": 0}', "age"),
    ("/explain", '{"seen": #, "at": 0}', "seen"),
    ("/rank", '{"user": {"age": #}, "items": [{}]}', "age"),
    ("/rank", '{"user": {}, "items": [{"genre": #}], "top": 1}', "genre"),
    ("/rank", '{"user": {}, "items": [{}], "top": #}', "top"),
    ("/recommend", '{"user": #}', "user"),
    ("/recommend", '{"user" : #, "exclude": ["a:b"]}', "user"),
    ("/recommend", '{"history": ["b", #]}', "history"),
    ("/recommend", '{"history": [], "exclude": [#]}', "exclude"),
    ("/recommend", '{"history": [], "top": #}', "top"),
    ("/recommend", '{"history": [], "new": #}', "new"),
    ("/recommend", '{"history": ["b"], "context": {"age": #}}', "context"),
    ("/recommend", '{"history": ["b"], "context": {"town": #}}', "context"),
    ("/recommend", '{"history": ["b"], "filter": {"genre": [#]}}', "filter"),
    ("/recommend", '{"history": ["b"], "at_most": {"genre": #}}', "at_most"),
    ("/similar", '{"item": #}', "item"),
    ("/similar", '{"item": "b", "top": #, "exclude": ["a:b"]}', "top"),
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with a click model of all kinds of columns, and a recommender that ranks by a user's columns."""
    folder = tmp_path_factory.mktemp("numbers")
    bundle = make_recommending_bundle(folder / "bundle", RECOMMENDER, schema=SCHEMA)
    snapshots = write_snapshots(folder)
    with running_service(bundle, folder, arguments=["--snapshots", str(snapshots)]) as service:
        yield service


@pytest.mark.parametrize(("path", "body", "field"), PLACES)
def test_an_answer_names_the_field_of_a_number_that_cannot_be(
    running: RunningService, path: str, body: str, field: str
) -> None:
    faults = {}
    for number in NUMBERS:
        answer = running.client.post(
            path, content=body.replace("#", number), headers={"content-type": "application/json"}
        )
        named = answer.status_code == 200 or (
            answer.status_code in (400, 404) and field in str(answer.json()["error"]["field"])
        )
        if not named:
            faults[number[:40]] = f"{answer.status_code} {answer.text[:250]}"
    assert faults == {}
