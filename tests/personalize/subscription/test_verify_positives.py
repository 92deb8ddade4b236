"""A deployed model that only recommends is verified by what training recommended."""

from pathlib import Path
from typing import Any

import pytest

from personalize.verify.stage import StageFailedError
from personalize.verify.stages.cluster import recommends_as_trained
from recommend.recommender import FOLDER, Golden, read_golden
from tests.support.recommenders import make_bundle_of_positives, recommender
from tests.support.services import RunningService, running_service


class Asking:
    """The running service, as the command line asks it."""

    def __init__(self, running: RunningService) -> None:
        self._running = running

    def post(self, path: str, body: object, headers: object) -> Any:
        del headers
        answer = self._running.client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


def test_a_model_of_positives_is_verified_by_its_golden_requests(tmp_path: Path) -> None:
    bundle = make_bundle_of_positives(tmp_path / "bundle", recommender())
    golden = read_golden(bundle / FOLDER)
    assert any(one.items for one in golden)
    with running_service(bundle, tmp_path) as running:
        service: Any = Asking(running)
        found = recommends_as_trained(service, golden, {})
        assert found == "20 golden requests get the items that training recommended."
        wrong = Golden(history=["b"], items=["d"], scores=[0.0])
        with pytest.raises(StageFailedError, match=r"For golden request 0 .* but training"):
            recommends_as_trained(service, [wrong], {})
