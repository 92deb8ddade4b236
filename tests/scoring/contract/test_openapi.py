"""The service compared with its own OpenAPI description."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from features.bundle import Bundle
from features.schema import Schema
from tests.support.recommenders import (
    make_bundle_of_positives,
    make_recommending_bundle,
    ranking_recommender,
    write_snapshots,
)
from tests.support.services import KEY, RunningService, running_service

RANKED = Schema(numeric=("age", "year"), categorical=("town", "genre"))
"""The columns that the made recommender's second stage reads, and one of the catalogue's."""
LOOKS = ("/healthz", "/readyz", "/metrics", "/openapi.json")


@pytest.fixture(scope="session")
def description(service: RunningService) -> dict[str, Any]:
    answer = service.client.get("/openapi.json")
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


def test_the_description_names_every_feature_as_nullable(description: dict[str, Any], bundle: Bundle) -> None:
    record = description["components"]["schemas"]["Record"]
    assert list(record["properties"]) == list(bundle.schema.features)
    assert record["additionalProperties"] is False
    assert record["properties"]["int00"]["anyOf"] == [{"type": "number"}, {"type": "null"}]
    integer = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
    whole = {"type": "number", "multipleOf": 1, "minimum": -(2**63), "maximum": 2**63 - 1024}
    assert record["properties"]["cat00"]["anyOf"] == [integer, whole, {"type": "string"}, {"type": "null"}]


def test_the_examples_of_the_description_are_scored(description: dict[str, Any], client: httpx.Client) -> None:
    for path in ("/score", "/rank", "/explain"):
        examples = description["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"]
        for example in examples.values():
            assert client.post(path, json=example["value"]).status_code == 200


@pytest.mark.parametrize("models", ["recommender", "both"])
def test_a_recommender_is_described_by_its_columns_and_items(
    services: Callable[[str], RunningService], models: str
) -> None:
    client = services(models).client
    document = client.get("/openapi.json").json()
    asked = document["components"]["schemas"]["RecommendRequest"]["properties"]
    for name in ("show", "filter", "at_most"):
        assert asked[name]["description"].endswith(" This model's columns: `title` (text), `genre` (text).")
    assert asked["context"]["description"].endswith(" This model's columns: `age` (numeric), `town` (categorical).")
    for path in RECOMMENDING:
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        for example in content["examples"].values():
            answer = client.post(path, json=example["value"])
            assert answer.status_code == 200
            assert "unknown_items" not in answer.json()["fallback"]
    if models == "both":
        content = document["paths"]["/rank"]["post"]["requestBody"]["content"]["application/json"]
        example = content["examples"]["items"]["value"]
        assert example["items"] == [{"id": "first", "genre": "x"}, {"id": "second"}]
        assert example["user"].keys() == {"age", "year", "town"}


class KeyProvider:
    """Gives schemathesis the valid key; schemathesis then also tries requests without it."""

    def get(self, _case: Any, _context: Any) -> str:
        return f"Bearer {KEY}"

    def set(self, case: Any, data: str, _context: Any) -> None:
        case.headers["Authorization"] = data


SCORING, RECOMMENDING = ("/score", "/rank", "/explain"), ("/recommend", "/similar")
ROUTES = {"clicks": SCORING, "recommender": RECOMMENDING, "both": (*SCORING, *RECOMMENDING)}
"""The routes that score, by the models in the bundle."""
OF_DATA = ("unknown_item", "unknown_field")
"""Refusals of items and of columns in `filter`, `at_most`, `show` and `context`, which the description can't list."""


@pytest.fixture(scope="module")
def services(
    service: RunningService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], RunningService]]:
    """A service with each of the bundles, started when it is first asked for."""
    with ExitStack() as stack:

        @cache
        def started(models: str) -> RunningService:
            if models == "clicks":
                return service
            folder, made = tmp_path_factory.mktemp(models), ranking_recommender()
            bundle = folder / "bundle"
            if models == "both":
                make_recommending_bundle(bundle, made, schema=RANKED)
            else:
                make_bundle_of_positives(bundle, made)
            snapshots = ["--snapshots", str(write_snapshots(folder / "snapshots"))]
            return stack.enter_context(running_service(bundle, folder, arguments=snapshots))

        yield started


@pytest.mark.parametrize("models", ROUTES)
def test_the_paths_are_those_of_the_bundles_models(services: Callable[[str], RunningService], models: str) -> None:
    paths = services(models).client.get("/openapi.json").json()["paths"]
    assert set(paths) == {*ROUTES[models], *LOOKS}


@pytest.mark.parametrize(
    ("models", "path", "mode"),
    [
        *((models, path, mode) for models, paths in ROUTES.items() for path in paths for mode in GenerationMode),
        *((models, path, GenerationMode.POSITIVE) for models in ROUTES for path in LOOKS),
    ],
)
def test_the_service_does_what_it_describes(
    services: Callable[[str], RunningService], models: str, path: str, mode: GenerationMode
) -> None:
    service, method = services(models), "GET" if path in LOOKS else "POST"
    document = schemathesis.openapi.from_dict(service.client.get("/openapi.json").json())
    document.config.update(base_url=service.url)
    document.auth()(KeyProvider)
    cases = document[path][method].as_strategy(generation_mode=mode, auth_storage=document.auth)

    @given(case=cases)
    @settings(
        max_examples=40 if method == "POST" else 5,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def call(case: Any) -> None:
        answer = case.call()
        # That placements have different names is nothing that JSON Schema can say.
        refused = answer.json()["error"] if answer.status_code == 400 else {"code": "", "field": ""}
        is_of_data = refused["code"] in OF_DATA or str(refused["field"]).endswith("].name")
        case.validate_response(answer, excluded_checks=[positive_data_acceptance] if is_of_data else [])

    call()
