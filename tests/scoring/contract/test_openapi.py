"""The service compared with its own OpenAPI description."""

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.generation import GenerationMode

from features.bundle import Bundle
from tests.support.services import KEY, RunningService

LOOKS = ("/healthz", "/readyz", "/metrics", "/openapi.json")


@pytest.fixture(scope="session")
def description(service: RunningService) -> dict[str, Any]:
    """The service's OpenAPI document."""
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


def test_every_path_of_the_service_is_described(description: dict[str, Any]) -> None:
    assert set(description["paths"]) == {"/score", "/rank", "/explain", *LOOKS}


class KeyProvider:
    """Gives schemathesis the valid key; schemathesis then also tries requests without it."""

    def get(self, _case: Any, _context: Any) -> str:
        return f"Bearer {KEY}"

    def set(self, case: Any, data: str, _context: Any) -> None:
        case.headers["Authorization"] = data


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [
        ("POST", "/score", GenerationMode.POSITIVE),
        ("POST", "/score", GenerationMode.NEGATIVE),
        ("POST", "/rank", GenerationMode.POSITIVE),
        ("POST", "/rank", GenerationMode.NEGATIVE),
        ("POST", "/explain", GenerationMode.POSITIVE),
        ("POST", "/explain", GenerationMode.NEGATIVE),
        *(("GET", path, GenerationMode.POSITIVE) for path in LOOKS),
    ],
)
def test_the_service_does_what_it_describes(
    description: dict[str, Any], service: RunningService, method: str, path: str, mode: GenerationMode
) -> None:
    document = schemathesis.openapi.from_dict(description)
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
        case.call_and_validate()

    call()
