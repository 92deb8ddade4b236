"""The OpenAPI document of a running service, generated from the types that decode requests and encode responses."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from features.columns import MOMENT, Number
from recommend.catalogue import Catalogue, Layout
from recommend.recommender import Recommender
from recommend.stored import SnapshotError
from scoring.model.model import ServedModel
from scoring.model.recommend_request import RecommendRequest, SimilarRequest
from scoring.model.records import ID
from scoring.request_errors import ErrorAnswer, Refusal
from scoring.responses import (
    BatchAnswer,
    ExplainAnswer,
    HealthAnswer,
    RankAnswer,
    ReadyAnswer,
    RecommendAnswer,
    ScoreAnswer,
)

Json = dict[str, Any]

REFERENCE = "#/components/schemas/{name}"
INPUT_ERRORS = (
    Refusal.INVALID_JSON,
    Refusal.UNAUTHORIZED,
    Refusal.METHOD_NOT_ALLOWED,
    Refusal.SLOW_BODY,
    Refusal.TOO_LARGE,
    Refusal.UNSUPPORTED_MEDIA_TYPE,
    Refusal.TOO_MANY_REQUESTS,
    Refusal.HEADERS_TOO_LARGE,
    Refusal.INTERNAL_ERROR,
    Refusal.UNAVAILABLE,
)
"""What each request with a body can get; of several with a status the most general one."""
REQUEST_ID = {
    "x-request-id": {"description": "The request's id in the service's log.", "schema": {"type": "string"}},
}


def describe_service(model: ServedModel, catalogue: Catalogue | None, title: str) -> Mapping[str, object]:
    """The OpenAPI 3.1 document as JSON values, for a service with this title, the features of `model` and the columns
    of the `catalogue`.
    """
    clicks, recommender = model.clicks, model.recommender
    roots: list[type[msgspec.Struct]] = [HealthAnswer, ReadyAnswer, ErrorAnswer]
    if clicks is not None:
        roots += [clicks.types.record, clicks.types.batch, clicks.types.rank]
        roots += [ScoreAnswer, BatchAnswer, RankAnswer, ExplainAnswer]
    if recommender is not None:
        roots += [RecommendRequest, RecommendAnswer, SimilarRequest]
    _, components = msgspec.json.schema_components(roots, ref_template=REFERENCE)
    if recommender is not None:  # what the type can't say
        components["RecommendRequest"]["anyOf"] = [{"required": [name]} for name in ("user", "history")]
        components["RecommendRequest"]["not"] = {"required": ["top", "placements"]}
        _name_columns(components, recommender, catalogue)
    does = [
        *(["recommends items to users, and says why"] if recommender is not None else []),
        *(["estimates how likely a click is"] if clicks is not None else []),
    ]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "summary": f"It {'; it '.join(does) or 'has no recommender that training accepted'}.",
            "version": model.name.version,
            "description": f"Bundle {model.bundle.hash}. A feature that is absent or null counts as missing.",
        },
        "paths": {
            **({} if clicks is None else _scoring_paths(model, catalogue)),
            **({} if recommender is None else _recommending_paths(recommender)),
            **_looks(),
        },
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic"},
            },
        },
    }


def _looks() -> Json:
    """The read-only paths. Health and readiness are public, the others need the key, except at the inside port."""
    runs = _response("The process is running.", _schema("HealthAnswer"))
    is_ready = _response("The service is ready to score.", _schema("ReadyAnswer"))
    figures = _response("The metrics in Prometheus' text format.", {"type": "string"}, "text/plain")
    document = _response("This document.", {"type": "object"})
    refused = (Refusal.UNAUTHORIZED, Refusal.NOT_READY)
    # The key is optional, but a wrong one is rejected.
    ready = _look("readyz", "Whether the service is ready to score", is_ready, *refused) | {
        "security": [{}, {"key": []}]
    }
    return {
        "/healthz": {"get": _look("healthz", "Whether the process runs", runs)},
        "/readyz": {"get": ready},
        "/metrics": {"get": _look("metrics", "Prometheus metrics of all workers", figures, Refusal.UNAUTHORIZED)},
        "/openapi.json": {"get": _look("openapi", "The description of this service", document, *refused)},
    }


def _scoring_paths(model: ServedModel, catalogue: Catalogue | None) -> Json:
    fields = model.bundle.schema.fields
    record: Json = {field.name: field.asked.example for field in fields}
    if catalogue is not None and model.recommender is not None:
        with suppress(SnapshotError):
            for place, value in catalogue.item(model.recommender.items[0]).values:
                field = fields[place]
                if isinstance(field, Number) and isinstance(value, int | float):
                    value = field.shown(value)  # noqa: PLW2901 - a time is stored in microseconds
                record[field.name] = value
    example = {"one": {"value": record}}
    return {
        "/score": _operation(
            "score",
            "Click probability of one record, or of several",
            {"anyOf": [_schema("Record"), _schema("Batch")]},
            {"anyOf": [_schema("ScoreAnswer"), _schema("BatchAnswer")]},
            example | {"several": {"value": {"records": [record]}}},
        ),
        "/rank": _operation(
            "rank",
            "Items ordered by their click probability for a user",
            _schema("RankRequest"),
            _schema("RankAnswer"),
            {"items": {"value": _rank_example(record, catalogue)}},
        ),
        "/explain": _operation(
            "explain",
            "Click probability of one record and what each feature adds to it",
            _schema("Record"),
            _schema("ExplainAnswer"),
            example,
        ),
    }


def _name_columns(components: Json, recommender: Recommender, catalogue: Catalogue | None) -> None:
    """Let the requests to recommend name the columns that there are."""
    layout = Layout(item_column="", separators={}) if catalogue is None else catalogue.layout
    items = [f"`{name}` ({'number' if name in layout.numbers else 'text'})" for name in layout.separators]
    users = [f"`{column.name}` ({column.role})" for column in recommender.user_columns]
    for request in ("RecommendRequest", "SimilarRequest", "Placement"):
        for name, field in components[request]["properties"].items():
            if name in {"show", "filter", "at_most", "context"}:
                listed = ", ".join(users if name == "context" else items) or "none"
                field["description"] += f" This model's columns: {listed}."


def _recommending_paths(recommender: Recommender) -> Json:
    known = recommender.items[:2]
    context = {column.name: column.asked.example for column in recommender.user_columns}
    own = "also" if recommender.repeats else "without"
    return {
        "/recommend": _operation(
            "recommend",
            f"Items for a user, or for somebody with a history, {own} those in it",
            _schema("RecommendRequest"),
            _schema("RecommendAnswer"),
            {"history": {"value": {"history": known, "top": 5} | ({"context": context} if context else {})}},
        ),
        "/similar": _operation(
            "similar",
            "Items that the same users chose as an item, or that were bought together with it",
            _schema("SimilarRequest"),
            _schema("RecommendAnswer"),
            {"item": {"value": {"item": known[0], "top": 5}}},
            Refusal.NO_BASKETS,
        ),
    }


def _operation(identity: str, summary: str, body: Json, answer: Json, examples: Json, *causes: Refusal) -> Json:
    given = {"application/json": {"schema": body, "examples": examples}}
    described = _look(identity, summary, _response("Scored.", answer), *INPUT_ERRORS, *causes)
    return {"post": described | {"security": [{"key": []}], "requestBody": {"required": True, "content": given}}}


def _look(identity: str, summary: str, found: Json, *causes: Refusal) -> Json:
    """A route that can respond with the errors `causes`; public unless `UNAUTHORIZED` is among them."""
    error = _schema("ErrorAnswer")
    refused = {str(cause.status): _response(cause.meaning, error) for cause in (Refusal.TOO_MANY_REQUESTS, *causes)}
    security: list[Json] = [{"key": []}, {"password": []}] if Refusal.UNAUTHORIZED in causes else []
    return {"operationId": identity, "summary": summary, "security": security, "responses": {"200": found, **refused}}


def _response(description: str, schema: Json, kind: str = "application/json") -> Json:
    return {"description": description, "headers": REQUEST_ID, "content": {kind: {"schema": schema}}}


def _schema(name: str) -> Json:
    return {"$ref": REFERENCE.format(name=name)}


def _rank_example(record: Json, catalogue: Catalogue | None) -> Json:
    """A ranking whose items have the columns that the catalogue has; without one, all but the time."""
    layout = None if catalogue is None else catalogue.layout
    of_items = {*record} - {MOMENT} if layout is None else {layout.item_column, *layout.separators}
    user = {name: value for name, value in record.items() if name not in of_items}
    item = {name: value for name, value in record.items() if name in of_items}
    named = [{"id": name} | own for name, own in (("first", item), ("second", {}))] if ID not in record else [item, {}]
    return {"user": user, "items": named, "top": 1}
