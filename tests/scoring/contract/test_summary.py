"""Metrics of drift, and the log's summary lines, from which alerts are computed where no Prometheus
scrapes the service."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from features.bundle import Bundle
from features.schema import CRITEO
from infra.cloud.queries import ALERTS
from scoring.model.model import BATCH_ROWS, BATCH_SECONDS
from tests.support.bundles import Record, random_records
from tests.support.certificates import make_certificate
from tests.support.page_blocks import queries_in_docs
from tests.support.raw_http import HEAD, HEALTH, connected, score
from tests.support.services import (
    KEY,
    LONG_TIMEOUTS,
    RunningService,
    changed_service,
    metric,
    running_service,
    wait_until,
)

pytestmark = pytest.mark.slow

DAYS = 40
OFTEN = "from scoring.worker import metrics; metrics.EVERY_SECONDS = 0.5"
FIELD = re.compile(r"\bline\.(\w+)")


def test_the_lines_have_every_field_that_a_query_asks_for(bundle: Bundle, tmp_path: Path) -> None:
    queries = [*(alert.query for alert in ALERTS.values()), *queries_in_docs().values()]
    asked = {field for query in queries for field in FIELD.findall(query)} - {"level", "event"}
    certificate, key = make_certificate(tmp_path, days=DAYS)
    arguments = ["--tls-cert", str(certificate), "--tls-key", str(key)]
    with running_service(bundle.path, tmp_path, arguments=arguments, scheme="https") as running:
        records = [{**dict(golden.record), "int03": 1e6} for golden in bundle.click_model.golden] * (
            BATCH_ROWS // len(bundle.click_model.golden)
        )
        assert running.client.post("/score", json={"records": records}).status_code == 200
        wait_until(lambda: "scoring_compared_rows_total 1000.0" in running.client.get("/metrics").text)
        assert running.stop() == 0
        (line,) = _summaries(running)
    assert asked
    assert asked <= line.keys()
    assert not [field for field in asked if line[field] in (None, [], "")]
    assert line["moved_feature"] == "int03"
    assert line["feature_psi"] > 0.25
    assert DAYS - 1 < (line["certificate_end"] - time.time()) / 86_400 <= DAYS


def test_a_line_says_what_the_worker_did_since_the_one_before(bundle: Bundle, tmp_path: Path) -> None:
    wrong = {"authorization": "Bearer wrong"}
    with running_service(bundle.path, tmp_path, python=changed_service(OFTEN)) as running:
        for _ in range(3):
            assert running.client.post("/score", json={}).status_code == 200
        assert running.client.post("/score", json={"records": [{}] * 5}).status_code == 200
        assert running.client.post("/score", json={"records": []}).status_code == 400
        assert httpx.post(f"{running.url}/score", json={}, headers=wrong).status_code == 401
        wait_until(lambda: len(_summaries(running)) >= 2)
        assert running.client.post("/score", json={}).status_code == 200
        assert running.stop() == 0
        lines = _summaries(running)
    assert len(lines) >= 3
    for field, expected in {"requests": 6, "rejected": 1, "failed": 0, "records": 9, "log_lines_dropped": 0}.items():
        assert sum(line[field] for line in lines) == expected
    assert _sum_of(lines, "latency") == 6
    assert _sum_of(lines, "probability") == 9
    assert {line["bundle_hash"] for line in lines} == {bundle.hash}
    assert all(0 <= line["cpu_seconds"] < 2 * line["seconds"] for line in lines)


SCANNED = [
    score().replace(KEY.encode(), b"wrong"),
    score().replace(b"authorization", b"x"),
    HEALTH.replace(b"/healthz", b"/admin"),
    HEALTH.replace(b"/healthz", b"/score"),
    b"\x16\x03\x01 no HTTP\r\n\r\n",
    b"GET / HTTP/1.1\r\nx: " + b"a" * 20_000 + b"\r\n\r\n",
    score().replace(KEY.encode(), b"wrong")[:-2],
    score().replace(b"application/json", b"text/plain"),
    HEAD + b"content-length: 100000000\r\n\r\n",
    HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\nnonsense\r\n",
]
"""What nobody sends who is a client of the service, or not as a whole request."""


def test_what_scanners_send_is_no_traffic_and_took_no_time(bundle: Bundle, tmp_path: Path) -> None:
    arguments = ["--max-bytes-waiting", "1000", *LONG_TIMEOUTS]
    with running_service(bundle.path, tmp_path, arguments=arguments) as running:
        for sent in SCANNED:
            with connected(running) as connection:
                connection.sendall(sent)
                assert connection.recv(1000).split()[1][:1] == b"4"
        assert running.client.post("/score", json={}).status_code == 200
        assert running.client.post("/score", json={"nothing": 1}).status_code == 400
        assert running.client.get("/nothing").status_code == 404
        assert running.client.post("/score", json={"cat00": "a" * 1000}).status_code == 503
        counted = metric(running, "scoring_requests_total"), metric(running, "scoring_request_seconds_count")
        assert running.stop() == 0
        (line,) = _summaries(running)
        refused = [one for one in running.log() if one["event"] == "request" and one["milliseconds"] is None]
    assert counted == (4, 3)
    assert [line[name] for name in ("requests", "rejected", "failed")] == [4, 2, 1]
    assert _sum_of([line], "latency") == 3
    assert len(refused) == len(SCANNED) + 1


def test_only_refused_requests_have_a_line_when_asked(bundle: Bundle, tmp_path: Path) -> None:
    with running_service(bundle.path, tmp_path, arguments=["--log-requests", "refused"]) as running:
        assert running.client.post("/score", json={}).status_code == 200
        assert running.client.post("/score", json={"nothing": 1}).status_code == 400
        assert running.stop() == 0
        statuses = [line["status"] for line in running.log() if line["event"] == "request"]
    assert statuses == [400]


def _summaries(running: RunningService) -> list[dict[str, Any]]:
    return [line for line in running.log() if line["event"] == "summary"]


def _sum_of(lines: list[dict[str, Any]], field: str) -> int:
    return sum(count for line in lines for _, count in line[field])


RECORDS = 100
OWN_ROWS = 2_000
"""Rows of the test bundle. Its model overfits them, so other rows would get other scores."""


@pytest.fixture(scope="module")
def watched(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(bundle.path, tmp_path_factory.mktemp("watched"), arguments=["--workers", "2"]) as running:
        yield running


def send(service: RunningService, records: list[Record]) -> None:
    for start in range(0, len(records), RECORDS):
        answer = service.client.post("/score", json={"records": records[start : start + RECORDS]})
        assert answer.status_code == 200


def moved(service: RunningService) -> tuple[float, float, dict[str, float]]:
    """The number of compared rows, the PSI of the predictions, and the PSI of each feature."""
    families = text_string_to_metric_families(service.client.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples]
    (compared,) = (sample.value for sample in samples if sample.name == "scoring_compared_rows_total")
    prediction = max((sample.value for sample in samples if sample.name == "scoring_prediction_psi"), default=0.0)
    features = {sample.labels["feature"]: sample.value for sample in samples if sample.name == "scoring_feature_psi"}
    return compared, prediction, features


def test_rows_like_the_models_have_not_moved_and_others_have(watched: RunningService) -> None:
    own = random_records(CRITEO, OWN_ROWS, seed=42)
    send(watched, 2 * own)
    wait_until(lambda: moved(watched)[0] >= BATCH_ROWS)
    _, prediction, features = moved(watched)
    assert set(features) == set(CRITEO.features)
    assert max(prediction, *features.values()) < 0.1
    others: list[Record] = [record | {"int03": 1_000_000.0, "cat07": "never seen"} for record in own]

    def shifted() -> bool:
        send(watched, others)
        _, _, features = moved(watched)
        return {name for name, index in features.items() if index > 0.25} == {"int03", "cat07"}

    wait_until(shifted, seconds=6 * BATCH_SECONDS)
