"""Answers to valid requests, and explanations compared with LightGBM's Python package."""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import lightgbm
import numpy as np
import pytest

from features.bundle import MODEL, Bundle
from tests.support.bundles import to_rows
from tests.support.services import KEY, RunningService, wait_until

NAME = {"name": "clicks", "version": "7"}


def test_a_single_record_gets_the_probability_that_training_computed(client: httpx.Client, bundle: Bundle) -> None:
    for golden in bundle.click_model.golden:
        answer = client.post("/score", json=golden.record)
        assert answer.status_code == 200
        assert answer.json() == {"probability": pytest.approx(golden.probability, abs=1e-9), "model": NAME}


def test_a_batch_gets_the_probabilities_in_its_order(client: httpx.Client, bundle: Bundle) -> None:
    answer = client.post("/score", json={"records": [golden.record for golden in bundle.click_model.golden]})
    expected = [golden.probability for golden in bundle.click_model.golden]
    assert answer.json() == {"probabilities": pytest.approx(expected, abs=1e-9), "model": NAME}


def test_absent_null_and_empty_are_the_same_missing_value(client: httpx.Client, record: dict[str, Any]) -> None:
    absent = {name: value for name, value in record.items() if name not in {"int03", "cat05"}}
    null = {**record, "int03": None, "cat05": None}
    empty = {**null, "cat05": ""}
    answers = [client.post("/score", json=body).json() for body in (absent, null, empty)]
    assert answers[0] == answers[1] == answers[2]


def test_rank_orders_items_by_probability(client: httpx.Client, bundle: Bundle) -> None:
    items = [golden.record for golden in bundle.click_model.golden]
    answer = client.post("/rank", json={"user": {}, "items": items}).json()
    probabilities = [golden.probability for golden in bundle.click_model.golden]
    order = sorted(range(len(items)), key=lambda index: -probabilities[index])
    assert [item["index"] for item in answer["items"]] == order
    assert [item["probability"] for item in answer["items"]] == pytest.approx([probabilities[i] for i in order])
    assert answer["model"] == NAME


def test_rank_returns_the_top_items_only(client: httpx.Client, bundle: Bundle) -> None:
    items = [golden.record for golden in bundle.click_model.golden]
    whole = client.post("/rank", json={"user": {}, "items": items}).json()["items"]
    assert client.post("/rank", json={"user": {}, "items": items, "top": 3}).json()["items"] == whole[:3]
    assert client.post("/rank", json={"user": {}, "items": items, "top": 10**6}).json()["items"] == whole


def test_rank_repeats_the_ids_of_the_items_that_have_one(client: httpx.Client, bundle: Bundle) -> None:
    plain = [golden.record for golden in bundle.click_model.golden][:5]
    ids: list[object] = ["sku-1", 17, "", -(2**63), None]
    items = [record if own is None else record | {"id": own} for record, own in zip(plain, ids, strict=True)]
    whole = client.post("/rank", json={"user": {}, "items": plain}).json()["items"]
    expected = [one if ids[one["index"]] is None else one | {"id": ids[one["index"]]} for one in whole]
    assert client.post("/rank", json={"user": {}, "items": items}).json()["items"] == expected


def test_what_an_item_states_itself_holds_instead_of_what_the_user_states(
    client: httpx.Client, record: dict[str, Any]
) -> None:
    items: list[dict[str, str | None]] = [{"cat00": "other"}, {"cat00": None}, {}]
    ranked = client.post("/rank", json={"user": record, "items": items}).json()["items"]
    found = {item["index"]: item["probability"] for item in ranked}
    for index, item in enumerate(items):
        assert found[index] == client.post("/score", json={**record, **item}).json()["probability"]


def test_equal_items_keep_their_order(client: httpx.Client) -> None:
    answer = client.post("/rank", json={"user": {}, "items": [{}, {}, {}]}).json()
    assert [item["index"] for item in answer["items"]] == [0, 1, 2]


def test_a_request_id_is_given_back(client: httpx.Client) -> None:
    answer = client.post("/score", json={}, headers={"x-request-id": "my-request.42"})
    assert answer.headers["x-request-id"] == "my-request.42"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, 'quote"'])
def test_a_request_id_that_could_spoil_the_log_is_replaced(client: httpx.Client, given: str) -> None:
    answer = client.post("/score", json={}, headers={"x-request-id": given})
    assert answer.headers["x-request-id"] not in {"", given}


def test_concurrent_requests_get_their_own_answers(service: RunningService, bundle: Bundle) -> None:
    golden = list(bundle.click_model.golden) * 20
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=service.url, headers=headers) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: client.post("/score", json=one.record), golden))
    # On a busy machine requests may wait so long that the service refuses some of them.
    assert {answer.status_code for answer in answers} <= {200, 503}
    served = [(answer, one) for answer, one in zip(answers, golden, strict=True) if answer.status_code == 200]
    assert len(served) > len(golden) // 2
    assert [answer.json()["probability"] for answer, _ in served] == pytest.approx(
        [one.probability for _, one in served], abs=1e-9
    )


def test_health_and_readiness_need_no_key(service: RunningService, bundle: Bundle) -> None:
    assert httpx.get(f"{service.url}/healthz").json() == {"status": "running"}
    assert httpx.get(f"{service.url}/readyz").json() == {
        "status": "ready",
        "model": NAME,
        "bundle_hash": bundle.hash,
        "engine": "lightgbm",
    }


def test_readiness_says_whether_a_key_is_valid_and_checks_count_as_nobodys_requests(service: RunningService) -> None:
    before = service.client.get("/metrics").text
    assert "key_accepted" not in httpx.get(f"{service.url}/readyz").json()
    assert service.client.get("/readyz").json()["key_accepted"] is True
    assert httpx.post(f"{service.url}/healthz").status_code == 405
    counted = [line for line in before.splitlines() if line.startswith("scoring_requests_total")]
    after = service.client.get("/metrics").text
    assert [line for line in after.splitlines() if line.startswith("scoring_requests_total")] == counted


@pytest.mark.slow
def test_the_log_has_the_request_and_none_of_its_values(own_service: RunningService) -> None:
    body = {"cat00": "a-secret-value", "int00": 987654321}
    wrong = {"cat00": "a-secret-value", "cat01": 12345678.5}
    own_service.client.post("/score", json=body, headers={"x-request-id": "logged-one"})
    own_service.client.post("/score", json=wrong, headers={"x-request-id": "logged-two"})

    def lines() -> dict[str, Any]:
        return {line["request_id"]: line for line in own_service.log() if "request_id" in line}

    wait_until(lambda: "logged-two" in lines())
    one, two = lines()["logged-one"], lines()["logged-two"]
    assert (one["operation"], one["status"], two["status"]) == ("score", 200, 400)
    text = own_service.log_file.read_text()
    assert not any(value in text for value in ("a-secret-value", "987654321", "12345678", KEY))


def test_the_contributions_sum_to_the_raw_score_of_the_probability(client: httpx.Client, bundle: Bundle) -> None:
    for golden in bundle.click_model.golden[:20]:
        answer = client.post("/explain", json=golden.record).json()
        total = answer["average"] + math.fsum(one["contribution"] for one in answer["contributions"])
        assert total == pytest.approx(answer["raw_score"], abs=1e-9)
        assert 1 / (1 + math.exp(-answer["raw_score"])) == pytest.approx(answer["probability"], abs=1e-12)
        assert answer["probability"] == pytest.approx(golden.probability, abs=1e-9)


def test_every_feature_has_one_contribution_and_the_strongest_is_first(
    client: httpx.Client, bundle: Bundle, record: dict[str, Any]
) -> None:
    answer = client.post("/explain", json=record).json()
    assert {one["feature"] for one in answer["contributions"]} == set(bundle.schema.features)
    strengths = [abs(one["contribution"]) for one in answer["contributions"]]
    assert strengths == sorted(strengths, reverse=True)
    assert answer["model"] == {"name": "clicks", "version": "7"}


def test_the_contributions_are_those_of_the_python_package(
    client: httpx.Client, bundle: Bundle, record: dict[str, Any]
) -> None:
    schema = bundle.schema
    encoded = to_rows(schema, [record]).encode(bundle.click_model.encoder)
    expected = np.asarray(
        lightgbm.Booster(model_file=bundle.path / MODEL).predict(encoded, pred_contrib=True), dtype=np.float64
    )[0]
    summed = dict.fromkeys(schema.features, 0.0)
    for name, value in zip(schema.encoded_features, expected[:-1], strict=True):
        feature = next(one for one in schema.features if name == one or name.startswith(f"{one}_"))
        summed[feature] += value
    found = {
        one["feature"]: one["contribution"] for one in client.post("/explain", json=record).json()["contributions"]
    }
    assert found == pytest.approx(summed, abs=1e-12)
