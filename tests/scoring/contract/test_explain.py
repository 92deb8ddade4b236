"""Explanations of a score, compared with LightGBM's Python package."""

import math
from typing import Any

import httpx
import lightgbm
import numpy as np
import pytest

from features.bundle import MODEL, Bundle
from tests.support.bundles import to_rows


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
