"""Answers to invalid requests and to extreme numbers: errors have one format, which names the field."""

import re
from collections.abc import Callable, Iterator
from unittest.mock import Mock

import httpx
import msgspec
import pytest

from features.columns import Reading
from features.schema import Schema
from scoring.model.diagnosis import LOOKED_AT, decoded
from scoring.model.recommend_request import RecommendRequest
from scoring.request_errors import Rejection
from tests.scoring.contract.conftest import MAX_BODY_BYTES, MAX_RECORDS, as_json, refusal
from tests.support.raw_http import HEAD, connected
from tests.support.recommenders import make_recommending_bundle, ranking_recommender, write_snapshots
from tests.support.services import KEY, RunningService, running_service

JSON = {"content-type": "application/json"}

WRONG_BODIES = [
    (b"", "invalid_json", None),
    (b"{", "invalid_json", None),
    (b"not json", "invalid_json", None),
    (b"{} {}", "invalid_json", None),
    (b"\xef\xbb\xbf{}", "invalid_json", None),
    (b"{'int00': 1}", "invalid_json", None),
    (b'{"cat00": "\xff"}', "invalid_json", None),
    (b'{"\xff": 1}', "invalid_json", None),
    (b'{"cat00": "\\ud800"}', "invalid_json", None),
    (b'{"cat00": "a\x01b"}', "invalid_json", None),
    (b'{"int00": NaN}', "not_finite", "int00"),
    (b'{"int00": Infinity}', "not_finite", "int00"),
    (b'{"int00": -Infinity}', "not_finite", "int00"),
    (b'{"records": [{}, {"int02": NaN}]}', "not_finite", "records[1].int02"),
    (b'{"int00": NaN, "cat00": "' + b"a" * LOOKED_AT + b'"}', "invalid_json", None),  # too long for a closer look
    (b'{"int00": 1e999}', "not_finite", "int00"),
    (b'{"int00": ' + b"9" * 400 + b"}", "not_finite", "int00"),
    (b"[]", "wrong_type", None),
    (b"null", "wrong_type", None),
    (b'"text"', "wrong_type", None),
    (b'{"int00": "1"}', "wrong_type", "int00"),
    (b'{"int00": true}', "wrong_type", "int00"),
    (b'{"int00": [1]}', "wrong_type", "int00"),
    (b'{"cat00": true}', "wrong_type", "cat00"),
    (b'{"cat00": 1.5}', "wrong_type", "cat00"),
    (b'{"cat00": {"a": "b"}}', "wrong_type", "cat00"),
    (b'{"records": {}}', "wrong_type", "records"),
    (b'{"records": null}', "wrong_type", "records"),
    (b'{"records": [1]}', "wrong_type", "records[0]"),
    (b'{"records": [{}, {"cat07": 1.5}]}', "wrong_type", "records[1].cat07"),
    (b'{"int00": 1, "records": [{}]}', "wrong_type", "int00"),
    (b'{"int00": null, "records": [{}]}', "wrong_type", "int00"),
    (b'{"colour": 1}', "unknown_field", "colour"),
    (b'{"label": 1}', "unknown_field", "label"),
    (b'{"records": [{"colour": 1}]}', "unknown_field", "records[0].colour"),
    (b'{"a": ' + b"[" * 100_000, "unknown_field", "a"),
    (b'{"records": []}', "wrong_count", "records"),
    (b'{"records": [' + b"{}," * 40_000 + b'{"int00": NaN}]}', "wrong_count", None),  # too many to decode them all
    (b'{"cat00": 1.5, "cat01": "' + rb"{},\\\"" * 20_000 + b'"}', "wrong_type", "cat00"),
]


@pytest.mark.parametrize(("body", "code", "field"), WRONG_BODIES, ids=[str(body[:40]) for body, _, _ in WRONG_BODIES])
def test_a_wrong_body_is_refused_with_its_field(
    service: RunningService, body: bytes, code: str, field: str | None
) -> None:
    assert refusal(service, "/score", body) == (400, code, field)


WRONG_WITH_RECOMMENDER: list[tuple[str, object, str, str | None]] = [
    *(("/score", body, "unknown_item", "item") for body in ({"item": "never"}, {"item": "withdrawn"}, {"item": "a\0"})),
    ("/score", {"item": "x" * 30_000}, "unknown_item", "item"),
    ("/score", {"records": [{"item": "a"}, {"item": 17}]}, "unknown_item", "records[1].item"),
    ("/rank", {"user": {"user": "u1"}, "items": [{"item": "a"}, {"item": "never"}]}, "unknown_item", "items[1].item"),
    ("/similar", {"item": "never"}, "unknown_item", "item"),
    *(("/score", {name: key}, "wrong_type", name) for name in ("user", "item") for key in (1.5, None, True, ["u1"])),
    ("/score", {"user": "u1", "colour": 1}, "unknown_field", "colour"),
    ("/score", {"user": "u1", "records": [{}]}, "wrong_type", "user"),
    ("/score", {"age": "old"}, "wrong_type", "age"),
    ("/explain", {"records": [{}]}, "unknown_field", "records"),
    ("/recommend", {}, "missing_field", "user"),
    *(("/recommend", {"user": user}, "wrong_type", "user") for user in (1.5, None, True, ["u1"], {"a": 1})),
    ("/recommend", {"history": "a"}, "wrong_type", "history"),
    *(("/recommend", {"history": [key]}, "wrong_type", "history[0]") for key in (1.5, None, True)),
    ("/recommend", {"history": ["a"], "top": 0}, "out_of_range", "top"),
    ("/recommend", {"history": ["a"], "top": 1.5}, "wrong_type", "top"),
    ("/similar", {"item": "a", "top": 0}, "out_of_range", "top"),
    *(("/recommend", {"user": "u1", "new": new}, "wrong_type", "new") for new in (1.5, "2", None, True)),
    ("/recommend", {"user": "u1", "new": -1}, "out_of_range", "new"),
    ("/recommend", {"history": ["a"], "exclude": 3}, "wrong_type", "exclude"),
    ("/recommend", {"history": ["a"], "filters": {}}, "unknown_field", "filters"),
    (
        "/recommend",
        {"user": "u1", "filter": {"genre": ["x"] * 501, "title": {"not": ["x"] * 500}}},
        "wrong_count",
        "filter",
    ),
    ("/recommend", b'{"history": ["a"', "invalid_json", None),
    ("/recommend", {"user": "u1", "filter": {"year": ["x"]}}, "unknown_field", "filter.year"),
    ("/recommend", {"user": "u1", "at_most": {"year": 1}}, "unknown_field", "at_most.year"),
    ("/recommend", {"user": "u1", "filter": {"genre": "x"}}, "wrong_type", "filter.genre"),
    ("/recommend", {"user": "u1", "filter": {"genre": []}}, "wrong_count", "filter.genre"),
    ("/recommend", {"user": "u1", "filter": {"genre": {"not": []}}}, "wrong_count", "filter.genre.not"),
    ("/recommend", {"user": "u1", "filter": {"genre": {}}}, "wrong_count", "filter.genre"),
    ("/recommend", {"user": "u1", "filter": {"title": ["x"], "genre": {"min": "3"}}}, "wrong_type", "filter.genre.min"),
    ("/similar", {"item": "a", "filter": {"genre": {"min": 3}}}, "wrong_type", "filter.genre"),
    ("/recommend", {"user": "u1", "at_most": {"genre": 0}}, "out_of_range", "at_most.genre"),
    ("/recommend", {"user": "u1", "seen": "yes"}, "wrong_type", "seen"),
    ("/recommend", {"user": "u1", "placements": []}, "wrong_count", "placements"),
    ("/recommend", {"user": "u1", "placements": [{"name": "x"}], "top": 3}, "wrong_type", "top"),
    ("/recommend", {"user": "u1", "placements": [{"top": 3}]}, "missing_field", "placements[0].name"),
    ("/recommend", {"user": "u1", "placements": [{"name": ""}]}, "wrong_count", "placements[0].name"),
    ("/recommend", {"user": "u1", "placements": [{"name": x} for x in "xyx"]}, "wrong_count", "placements[2].name"),
    (
        "/recommend",
        {"user": "u1", "placements": [{"name": "x"}, {"name": "y", "filter": {"year": ["x"]}}]},
        "unknown_field",
        "placements[1].filter.year",
    ),
    ("/recommend", {"user": "u1", "filter": {"year": []}, "placements": [{"name": "x"}]}, "wrong_count", "filter.year"),
    (
        "/recommend",
        {"user": "u1", "placements": [{"name": name, "filter": {"genre": ["x"] * 501}} for name in "xy"]},
        "wrong_count",
        "filter",
    ),
    ("/similar", {"item": "a", "placements": [{"name": "x"}]}, "unknown_field", "placements"),
    ("/similar", {"item": "a", "kind": "alike"}, "wrong_type", "kind"),
]


@pytest.mark.parametrize(("path", "body", "code", "field"), WRONG_WITH_RECOMMENDER)
def test_so_is_one_of_users_and_items(
    film_service: RunningService, path: str, body: object, code: str, field: str | None
) -> None:
    assert refusal(film_service, path, body) == (400, code, field)


@pytest.mark.parametrize(
    ("name", "most", "value"),
    [
        ("history", 1_000, lambda count: ["a"] * count),
        ("exclude", 10_000, lambda count: ["a"] * count),
        ("show", 20, lambda count: ["title"] * count),
        ("filter", 10, lambda count: {str(number): ["x"] for number in range(count)}),
        ("filter", 1_000, lambda count: {"genre": ["x"], "title": {"not": ["x"] * (count - 1)}}),
        ("at_most", 3, lambda count: dict.fromkeys(map(str, range(count)), 1)),
        ("context", 1_000, lambda count: dict.fromkeys(map(str, range(count)), 1)),
        ("placements", 10, lambda count: [{"name": str(number)} for number in range(count)]),
        ("placements", 100, lambda top: [{"name": "x", "top": top}]),
        ("top", 1_000, int),
        ("new", 1_000, int),
        ("diversity", 1, float),
    ],
)
def test_a_request_may_be_as_large_as_the_page_says_and_no_larger(
    film_service: RunningService, name: str, most: int, value: Callable[[int], object]
) -> None:
    too_much = {"wrong_count", "out_of_range"}
    for count in (most, most + 1):
        error = film_service.client.post("/recommend", json={"user": "u1", name: value(count)}).json().get("error")
        assert (error is not None and error["code"] in too_much) == (count > most), error
    assert error["field"].startswith(name)


def test_a_wrong_column_is_looked_for_among_a_thousand() -> None:
    """Each takes a call of the decoder: all of those in a body would take longer than a turn of the event loop."""
    for columns, field in ((999, "context.x"), (20_000, "context[...]")):
        decode = Mock(side_effect=msgspec.json.Decoder(RecommendRequest).decode)
        body = as_json({"user": "u1", "context": {**{str(number): 1 for number in range(columns)}, "x": []}})
        with pytest.raises(Rejection) as rejection:
            decoded(decode, body, "", {})
        assert rejection.value.field == field
        assert decode.call_count <= 1_001


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/score", {"a": 1}, {"columns", "/openapi.json"}),
        ("/explain", {"a": 1}, {"columns", "/openapi.json"}),
        ("/rank", {"user": {}, "items": [{}], "a": 1}, {"user", "items", "top", "columns", "/openapi.json"}),
        ("/recommend", {"user": "u1", "a": 1}, {"user", "history", "top", "filter", "at_most", "details"}),
        ("/similar", {"item": "a", "a": 1}, {"item", "top", "filter"}),
    ],
)
def test_an_unknown_field_is_told_those_of_its_route(
    film_service: RunningService, path: str, body: object, fields: set[str]
) -> None:
    message = film_service.client.post(path, json=body).json()["error"]["message"]
    words = set(re.findall(r"[\w./]*\w", message))
    assert message.startswith("The field a is unknown.")
    assert fields <= words
    assert ("history" in words) == (path == "/recommend")


def test_a_number_that_must_be_whole_is_told_so(film_service: RunningService) -> None:
    answer = film_service.client.post("/recommend", json={"user": "u1", "top": 1.5})
    assert answer.json()["error"]["message"] == "top has the wrong type: expected a whole number."


def test_more_records_than_the_limit_are_refused(client: httpx.Client) -> None:
    assert client.post("/score", json={"records": [{}] * MAX_RECORDS}).status_code == 200
    answer = client.post("/score", json={"records": [{}] * (MAX_RECORDS + 1)})
    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "code": "wrong_count",
        "field": "records",
        "message": f"records must have at most {MAX_RECORDS} entries.",
    }


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"items": [{}]}, "missing_field", "user"),
        ({"user": {}}, "missing_field", "items"),
        ({"user": {}, "items": []}, "wrong_count", "items"),
        ({"user": {}, "items": [{}] * (MAX_RECORDS + 1)}, "wrong_count", "items"),
        ({"user": {}, "items": [{}], "top": 0}, "out_of_range", "top"),
        ({"user": {}, "items": [{}], "top": 1.5}, "wrong_type", "top"),
        ({"user": {"colour": 1}, "items": [{}]}, "unknown_field", "user.colour"),
        ({"user": {}, "items": [{}, {"int00": "x"}]}, "wrong_type", "items[1].int00"),
        ({"user": {}, "items": [{"id": True}]}, "wrong_type", "items[0].id"),
        ({"user": {"id": 1}, "items": [{}]}, "unknown_field", "user.id"),
        ({"user": "u1", "items": [{}]}, "wrong_type", "user"),
    ],
)
def test_a_wrong_ranking_is_refused_with_its_field(
    service: RunningService, body: object, code: str, field: str
) -> None:
    assert refusal(service, "/rank", body) == (400, code, field)


@pytest.mark.parametrize("path", ["/score", "/rank"])
@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", f"Basic {KEY}", KEY, f"Bearer {KEY}x", "Bearer wrong", "\u00e9"]
)
def test_a_request_without_a_valid_key_is_refused(
    service: RunningService, path: str, authorization: str | None
) -> None:
    headers = {} if authorization is None else {b"authorization": authorization.encode("latin-1")}
    answer = httpx.post(service.url + path, json={}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"]["code"] == "unauthorized"


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        *((one, 415) for one in (None, "", "text/plain", "application/json; charset=latin-1")),
        *((one, 200) for one in ("Application/JSON", "application/json; charset=utf-8")),
        ('application/json;charset="UTF-8"', 200),
    ],
)
def test_the_body_must_be_announced_as_json(client: httpx.Client, content_type: str | None, status: int) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    answer = client.post("/score", content=b"{}", headers=headers)
    assert answer.status_code == status
    assert status == 200 or answer.json()["error"]["code"] == "unsupported_media_type"


def test_a_body_above_the_limit_is_refused_before_it_is_sent(service: RunningService) -> None:
    with connected(service) as connection:
        connection.sendall(HEAD + b"content-length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1))
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_body_of_the_limit_is_read(client: httpx.Client) -> None:
    body = b"{}".ljust(MAX_BODY_BYTES)
    assert client.post("/score", content=body, headers={"content-type": "application/json"}).status_code == 200


def test_a_chunked_body_above_the_limit_is_refused(client: httpx.Client) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * (MAX_BODY_BYTES // 50)

    answer = client.post("/score", content=parts(), headers=JSON)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_large"


@pytest.mark.parametrize("path", ["/nothing", "/score/", "/scores", "/%2e%2e/etc"])
def test_an_unknown_path_is_refused_in_the_same_shape(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["x-request-id"]
    assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/score", "POST"), ("PUT", "/rank", "POST"), ("POST", "/healthz", "GET"), ("DELETE", "/metrics", "GET")],
)
def test_another_method_is_refused_in_the_same_shape(
    client: httpx.Client, method: str, path: str, allowed: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 405
    assert allowed in answer.headers["allow"]
    assert answer.json()["error"]["code"] == "method_not_allowed"


EXTREME = Schema(
    timestamp="shown",
    numeric=("age",),
    categorical=("genre",),
    times={"seen": Reading(), "born": Reading(zone="Europe/Berlin")},
)

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
    ("/rank", '{"user": #, "items": [{}]}', "user"),
    ("/rank", '{"user": {}, "items": [{"id": #}]}', "id"),
    ("/recommend", '{"user": #}', "user"),
    ("/recommend", '{"user" : #, "exclude": ["a:b"]}', "user"),
    ("/recommend", '{"history": ["b", #]}', "history"),
    ("/recommend", '{"history": [], "exclude": [#]}', "exclude"),
    ("/recommend", '{"history": [], "top": #}', "top"),
    ("/recommend", '{"history": [], "new": #}', "new"),
    ("/recommend", '{"history": ["b"], "context": {"age": #}}', "context"),
    ("/recommend", '{"history": ["b"], "context": {"town": #}}', "context"),
    ("/recommend", '{"history": ["b"], "filter": {"genre": [#]}}', "filter"),
    ("/recommend", '{"history": ["b"], "filter": {"genre": {"max": #}}}', "filter"),
    ("/recommend", '{"history": ["b"], "at_most": {"genre": #}}', "at_most"),
    ("/similar", '{"item": #}', "item"),
    ("/similar", '{"item": "b", "top": #, "exclude": ["a:b"]}', "top"),
]


@pytest.fixture(scope="module")
def extreme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with a click model of all kinds of columns, and a recommender that ranks by a user's columns."""
    folder = tmp_path_factory.mktemp("numbers")
    bundle = make_recommending_bundle(folder / "bundle", ranking_recommender(), schema=EXTREME)
    snapshots = write_snapshots(folder)
    with running_service(bundle, folder, arguments=["--snapshots", str(snapshots)]) as service:
        yield service


@pytest.mark.parametrize(("path", "body", "field"), PLACES)
def test_an_answer_names_the_field_of_a_number_that_cannot_be(
    extreme: RunningService, path: str, body: str, field: str
) -> None:
    faults = {}
    for number in NUMBERS:
        answer = extreme.client.post(
            path, content=body.replace("#", number), headers={"content-type": "application/json"}
        )
        named = answer.status_code == 200 or (
            answer.status_code in (400, 404) and field in str(answer.json()["error"]["field"])
        )
        if not named:
            faults[number[:40]] = f"{answer.status_code} {answer.text[:250]}"
    assert faults == {}
