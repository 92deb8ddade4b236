"""Output of the commands about a model that only recommends: its own metrics, and none of a click model."""

from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from personalize.clients.service import Service
from personalize.commands import scoring
from personalize.commands.app import app
from personalize.delivery.reports import rejection_report
from personalize.views.model_table import show_models
from personalize.views.status import show_status
from personalize.views.summary import show_summary

FIGURES = {"ndcg": 0.20611, "recall": 0.2875, "coverage": 1.0, "popular": 0.217}
POPULAR = {"ndcg": 0.10164, "recall": 0.14, "coverage": 0.2, "popular": 0.66}
REASON = "NDCG@10 0.2061 is 0.1045 higher than that of the most popular items."
METRICS = {
    "ndcg": FIGURES["ndcg"],
    "recall": FIGURES["recall"],
    "popularity_ndcg": POPULAR["ndcg"],
    "popularity_recall": POPULAR["recall"],
    "recommender": {
        "accepted": True,
        "reason": REASON,
        "users": 200,
        "new_users": 0,
        "figures": {"recommender": FIGURES, "popularity": POPULAR},
        "figures_of_new": {},
    },
}
NO_METRICS = dict.fromkeys(("auc", "log_loss", "calibration_error", "ndcg", "recall"))
ROW: dict[str, Any] = NO_METRICS | {
    "version": 2,
    "champion": True,
    "accepted": True,
    "reasons": [],
    "registered": "2026-11-25T03:20:00",
    "manifest_hash": "a" * 64,
    "code_hash": "b" * 64,
}
ALONE = ROW | {"ndcg": 0.20611, "recall": 0.2875}
CLICKS = ROW | {"version": 1, "champion": False, "auc": 0.8712, "log_loss": 0.4006}


def test_the_end_of_up_asks_for_recommendations_and_shows_their_metrics_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_summary(
        {"endpoint": "http://127.0.0.1:1", "model_version": "4", "report": "report.html", "metrics": METRICS}, "shop"
    )
    shown = capsys.readouterr().out
    assert ".venv/bin/personalize recommend --stack shop USER --top 5" in shown
    for absent in ("click probability", "predict", "curl", "AUC", "held-out rows"):
        assert absent not in shown
    assert "this recommender            0.2061     0.2875    100.0%    21.7%" in shown
    assert "popularity                  0.1016     0.1400     20.0%    66.0%" in shown


def test_the_status_has_the_metrics_beside_popularity(capsys: pytest.CaptureFixture[str]) -> None:
    found = dict.fromkeys(("endpoint", "model_version", "champion", "last_update"))
    show_status(found | {"stack": "shop", "pinned": "latest", "service": {"ready": False}, "metrics": METRICS})
    shown = " ".join(capsys.readouterr().out.split())
    assert "held-out choices NDCG@10 0.2061, recall@10 0.2875, by popularity 0.1016 and 0.1400" in shown


@pytest.mark.parametrize(
    ("rows", "titles", "scores"),
    [
        ([ALONE], ["version", "NDCG@10"], [["2", "0.2061"]]),
        ([CLICKS], ["version", "AUC", "log", "loss"], [["1", "0.8712", "0.4006"]]),
        ([ALONE, CLICKS], ["version", "AUC", "log", "loss", "NDCG@10"], [["2", "0.2061"], ["1", "0.8712", "0.4006"]]),
    ],
)
def test_versions_are_listed_with_the_metrics_that_they_have(
    rows: list[dict[str, Any]], titles: list[str], scores: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    show_models(rows)
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split()[: len(titles)] == titles
    named = [line.split() for line in lines if line.split()[0] in {"1", "2"}]
    assert [words[: len(own)] for words, own in zip(named, scores, strict=True)] == scores


def test_a_rejected_recommender_is_reported_beside_a_champion_with_a_click_model() -> None:
    rejected = ALONE | {"version": 3, "champion": False, "accepted": False, "reasons": ["It is worse."], "ndcg": 0.05}
    text = rejection_report("shop", [rejected, ALONE], {})
    assert "| NDCG@10 | 0.0500 | 0.2061 |" in text
    assert "AUC" not in text
    text = rejection_report("shop", [rejected, CLICKS | {"champion": True}], {})
    assert "| AUC | - | 0.8712 |" in text
    assert "| NDCG@10 | 0.0500 | - |" in text


@pytest.mark.parametrize("arguments", [["predict", "--example"], ["rank", "--example"], ["load-test"]])
def test_an_example_record_is_refused_with_what_to_do_instead(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service("http://127.0.0.1:1", "key", None)
    monkeypatch.setattr(Service, "of", lambda *_: service)
    monkeypatch.setattr(
        Service, "_request", lambda *_, **__: httpx.Response(200, json={"paths": {"/recommend": {"post": {}}}})
    )
    monkeypatch.setattr(scoring, "open_session", lambda *_: None)
    monkeypatch.setattr("personalize.commands.load.open_session", lambda *_: None)
    result = CliRunner().invoke(app, [*arguments, "--stack", "nobodys"])
    assert "The model gives no click probabilities" in str(result.exception)
    assert "`.venv/bin/personalize recommend`" in str(result.exception)
