"""Metrics of drift: the service compares the records it scores with those its model was trained on."""

from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from features.bundle import Bundle
from features.schema import CRITEO
from scoring.model.click_model import BATCH_ROWS, BATCH_SECONDS
from tests.support.bundles import Record, random_records
from tests.support.services import RunningService, running_service, wait_until

pytestmark = pytest.mark.slow

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
