"""Output of the commands: the summary of an update, the status, and the logs."""

import json
import os
import re
import subprocess
import sys
from datetime import datetime
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import yaml
from rich.console import Console

from personalize import errors
from personalize.commands import init_data as draft
from personalize.engine.outcome import Update
from personalize.stack import processes, stack_files
from personalize.views import logs, status, summary
from personalize.views.status import show_status, traffic
from personalize.views.summary import metrics_table, recommender_table
from recommend.judgement import BEST, FIRST_STAGE, POPULARITY, RECOMMENDER, SAR

METRICS = {
    "rows": 4000,
    "auc": 0.77123,
    "log_loss": 0.4433,
    "calibration_error": 0.0071,
    "baselines": {"base_rate": {"auc": 0.5, "log_loss": 0.53}, "logistic_regression": {"auc": 0.74, "log_loss": 0.46}},
    "champion": {"version_hash": "a", "auc": 0.76, "log_loss": 0.45},
    "best_reachable": {"auc": 0.79, "log_loss": 0.431},
}


def test_the_metrics_stand_beside_what_they_are_compared_with() -> None:
    stream = StringIO()
    Console(file=stream, width=90).print(metrics_table(METRICS))
    lines = stream.getvalue().splitlines()
    assert "4,000 held-out rows" in lines[0]
    assert [line.split("  ")[0] for line in lines[1:]] == [
        "this model",
        "base rate",
        "logistic regression",
        "the champion before it",
        "best reachable",
    ]
    assert "0.7712" in lines[1]


def test_a_champion_that_cannot_be_compared_is_named_with_the_reason() -> None:
    reason = "it needs columns that this dataset does not have as such (int00)"
    stream = StringIO()
    champion = {"bundle_hash": "a", "not_comparable": reason, "drift": None}
    Console(file=stream, width=90).print(metrics_table(METRICS | {"champion": champion}))
    words = " ".join(stream.getvalue().split())
    assert f"The champion before it is not compared, because {reason}." in words
    assert "the champion before it 0" not in words


def shown_recommender(**changes: object) -> list[str]:
    """What is printed of a judgement, in lines."""
    figures = {"ndcg": 0.21714, "recall": 0.1, "coverage": 0.5, "popular": 0.25}
    judgement = {
        "accepted": True,
        "reason": "NDCG@10 is higher.",
        "users": 1200,
        "new_users": 40,
        "figures": {"recommender": figures, "popularity": figures | {"ndcg": 0.0912}},
        "figures_of_new": {"recommender": figures | {"ndcg": 0.15}, "popularity": figures | {"ndcg": 0.09}},
    }
    stream = StringIO()
    Console(file=stream, width=100).print(recommender_table(judgement | changes))
    return stream.getvalue().splitlines()


def test_the_recommenders_figures_are_beside_those_of_other_rankers() -> None:
    lines = shown_recommender()
    assert "recommending to 1,200 users" in lines[0]
    assert "40 new users" in lines[0]
    assert lines[1].split() == ["this", "recommender", "0.2171", "0.1000", "50.0%", "25.0%", "0.1500"]
    assert lines[2].split() == ["popularity", "0.0912", "0.1000", "50.0%", "25.0%", "0.0900"]
    assert len(lines) == 3


def test_a_recommender_that_does_not_serve_says_why() -> None:
    refused = shown_recommender(accepted=False, reason="It is worse.", figures_of_new={})
    assert "It is worse." in refused[-1]
    assert "new users" not in refused[0]
    assert "There are too few." in " ".join(
        shown_recommender(accepted=False, reason="There are too few.", figures={}, figures_of_new={})
    )


def test_every_ranker_of_a_judgement_has_a_row() -> None:
    assert set(summary.RANKERS) == {RECOMMENDER, FIRST_STAGE, SAR, POPULARITY, BEST}


@pytest.mark.parametrize("made", [True, False])
def test_the_example_is_the_stacks_own_or_made_by_the_service(
    *, made: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(summary, "state_folder", lambda stack: tmp_path / "my stacks" / stack)
    own = tmp_path / "my stacks" / "local" / "example.json"
    own.parent.mkdir(parents=True)
    if made:
        own.write_text("{}")
    monkeypatch.setattr(stack_files.StackFiles, "is_pinned", made)
    judgement = {"accepted": made, "reason": "It is worse.", "figures": {}, "figures_of_new": {}}
    outputs = {"endpoint": "http://127.0.0.1:1", "model_version": "4", "report": "report.html"}
    summary.show_summary(outputs | {"metrics": METRICS | {"recommender": judgement}}, "local", Path("my own.yaml"))
    shown = capsys.readouterr().out
    assert (f"-d @'{own}' http://127.0.0.1:1/score" in shown) is made
    assert ("predict --config-file 'my own.yaml' --example > record.json" in shown) is not made
    assert ("until `.venv/bin/personalize serve latest --config-file 'my own.yaml'`." in shown) is made
    assert (".venv/bin/personalize recommend --config-file 'my own.yaml' USER --top 5" in shown) is made


def test_the_status_before_the_first_model_serves_has_no_rows_without_a_value(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = dict.fromkeys(("endpoint", "model_version", "champion", "metrics", "last_update"))
    show_status(found | {"stack": "local", "pinned": "latest", "service": {"ready": False}})
    shown = capsys.readouterr().out
    assert "none yet: `.venv/bin/personalize up` creates it" in shown
    assert "None" not in shown


def test_the_time_of_the_last_update_names_its_zone() -> None:
    update = Update(kind="update", result="succeeded", started=datetime(2026, 11, 30, 9, 5, 7))  # noqa: DTZ001 - as Pulumi
    shown = status._last_update(SimpleNamespace(last_update=lambda: update))  # type: ignore[arg-type] # noqa: SLF001
    assert shown == {"kind": "update", "result": "succeeded", "time": "2026-11-30 09:05:07 UTC"}


def test_a_drafted_config_is_named_so_that_it_can_be_pasted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "my tables, old" / "dataset: 1.yaml"
    target.parent.mkdir()
    target.touch()
    draft._show(target)  # noqa: SLF001 - the command needs tables
    said = " ".join(capsys.readouterr().err.split())
    value = re.search(r"set `personalization:dataset` to (\{.*\}) and run", said)
    assert value is not None
    assert yaml.safe_load(value[1]) == {"kind": "tables", "spec": str(target)}


def test_the_traffic_is_summed_over_operations() -> None:
    text = (
        "# TYPE scoring_requests_total counter\n"
        'scoring_requests_total{operation="score",status="200"} 98.0\n'
        'scoring_requests_total{operation="rank",status="200"} 1.0\n'
        'scoring_requests_total{operation="score",status="400"} 1.0\n'
        "# TYPE scoring_records_total counter\nscoring_records_total 120.0\n"
        "# TYPE scoring_request_seconds histogram\n"
        'scoring_request_seconds_bucket{operation="score",le="0.001"} 60.0\n'
        'scoring_request_seconds_bucket{operation="score",le="0.01"} 99.0\n'
        'scoring_request_seconds_bucket{operation="score",le="+Inf"} 100.0\n'
    )
    assert traffic(text) == {
        "requests": {"200": 99, "400": 1},
        "records": 120,
        "latency": {"p50_seconds_below": 0.001, "p99_seconds_below": 0.01},
    }


def test_a_service_without_requests_has_no_latency() -> None:
    assert traffic("")["latency"] == {"p50_seconds_below": None, "p99_seconds_below": None}


def test_only_the_last_lines_of_a_log_are_shown(tmp_path: Path) -> None:
    file = tmp_path / "scoring.log"
    file.write_text("".join(f"line {number}\n" for number in range(100)))
    assert logs.last_lines(file, 2) == ["line 98", "line 99"]


def test_a_followed_log_survives_its_rotation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "POLL_SECONDS", 0.01)
    file = tmp_path / "scoring.log"
    file.write_text("before\n")
    lines = logs.follow_lines([file])
    with file.open("a") as stream:
        stream.write("new\n")
    assert next(lines) == "new"
    file.rename(tmp_path / "scoring.log.1")
    file.write_text("x\n")
    assert next(lines) == "x"


def test_reset_stops_what_runs_from_the_folder_and_removes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path / ".personalize"))
    folder = tmp_path / ".personalize" / "local"
    run = folder / "runs" / "one"
    for place in (folder / "service", run):
        place.mkdir(parents=True)
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    service = subprocess.Popen([*sleep, "--keys-file", str(folder / "service" / "keys")])
    training = subprocess.Popen(sleep, start_new_session=True)
    started = psutil.Process(training.pid).create_time()
    (run / "process.json").write_text(json.dumps({"pid": training.pid, "started": started}))
    reader = subprocess.Popen([*sleep, str(folder / "service" / "scoring.log")], cwd=folder / "service")
    try:
        assert processes.reset_stack("local") == (1, folder)
        assert service.poll() is not None
        assert training.poll() is not None
        assert reader.poll() is None, "a person's editor or shell"
        assert not folder.exists()
    finally:
        for process in (service, training, reader):
            process.kill()
            process.wait()


def test_reset_leaves_a_stack_alone_while_it_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path / ".personalize"))
    lock = tmp_path / ".personalize" / "local" / "state" / ".pulumi" / "locks" / "a" / "id.json"
    lock.parent.mkdir(parents=True)
    content = {"pid": os.getpid(), "username": "ada", "hostname": os.uname().nodename}
    lock.write_text(json.dumps(content | {"timestamp": "2999-01-01T00:00:00+00:00"}))
    with pytest.raises(errors.StackBusyError, match=f"kill -INT {os.getpid()}"):
        processes.reset_stack("local")
    assert lock.exists()
