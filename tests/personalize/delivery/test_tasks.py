"""The tasks of the workflows, with scripted `personalize` commands and a local GitHub API."""

import json
import subprocess
from pathlib import Path

import pytest

from personalize.delivery import tasks
from personalize.delivery.command import CommandFailedError, Ended, personalize, settings_at
from personalize.delivery.plan import LABEL, DataAtRiskError
from personalize.delivery.tasks import ResourceDriftError, ServiceNotReadyError
from personalize.terminal.output import ExitCode
from tests.personalize.delivery.bench import Bench, planned
from tests.personalize.delivery.conftest import LAKE, NEW_DATA, resource
from tests.personalize.delivery.github_server import REPOSITORY, GitHubServer
from tools.paths import ROOT

MODELS = {
    "models": [
        {"version": 5, "champion": False, "accepted": False, "reasons": ["The log loss is higher."], "auc": 0.71},
        {"version": 4, "champion": True, "accepted": True, "reasons": [], "auc": 0.77},
    ]
}
for row in MODELS["models"]:
    row |= {"log_loss": 0.45, "calibration_error": None, "manifest_hash": "a" * 64, "code_hash": "b" * 64}
    row |= {"ndcg": None, "recall": None, "registered": "2026-11-25T03:20:00"}


def test_a_preview_comments_once_however_often_it_runs(hub: GitHubServer) -> None:
    bench = Bench(hub, pull_request=7, preview=planned(*NEW_DATA))
    bench.delivery.preview("HEAD")
    bench.delivery.preview("HEAD")
    assert [one["body"] for one in hub.comments] == [bench.said[-1]]
    assert "| replaced | `training` |" in hub.comments[0]["body"]


def test_a_preview_of_a_pull_request_reads_no_data_and_says_so(hub: GitHubServer) -> None:
    plan = planned(*NEW_DATA)
    unread = Ended(code=0, content={**plan.content, "data_read": False})
    bench = Bench(hub, pull_request=7, preview=unread)
    bench.delivery.preview("HEAD")
    assert bench.told.calls[1] == ("preview", "--stack", "dev", "--known-data")
    assert "It did not read the data" in hub.comments[0]["body"]
    bench = Bench(hub, pull_request=8, preview=plan)
    bench.delivery.preview("HEAD")
    assert "did not read" not in bench.said[0]


def test_a_preview_of_a_paused_stack_passes_and_says_why(hub: GitHubServer) -> None:
    paused = Ended(code=0, content={"endpoint": "https://x", "cluster": {"power": "Stopped"}})
    bench = Bench(hub, pull_request=7, status=paused)
    bench.delivery.preview("HEAD")
    assert bench.commands == ["status"]
    assert bench.said == ["Stack `dev` is paused: nothing was done. The workflow `resume` starts it."]


def test_a_preview_that_would_lose_data_comments_and_fails_until_the_label_is_there(hub: GitHubServer) -> None:
    bench = Bench(hub, pull_request=7, preview=planned(LAKE))
    with pytest.raises(DataAtRiskError):
        bench.delivery.preview("HEAD")
    assert "Blocked until" in hub.comments[0]["body"]
    hub.labels[7] = [LABEL]
    bench.delivery.preview("HEAD")
    assert "allows it" in hub.comments[0]["body"]


def test_a_preview_compares_the_cost_with_the_settings_of_the_base(hub: GitHubServer) -> None:
    bench = Bench(hub, preview=planned())
    bench.delivery.preview("HEAD")
    [call] = [call for call in bench.told.calls if call[0] == "estimate"]
    assert call[:4] == ("estimate", "--stack", "dev", "--compare")
    committed = subprocess.run(["git", "show", "HEAD:Pulumi.dev.yaml"], cwd=ROOT, capture_output=True, check=True)
    assert Path(call[4]).read_bytes() == committed.stdout


def test_a_base_without_the_stack_is_not_compared_with() -> None:
    assert settings_at("HEAD", "of-nobody") is None


def test_an_estimate_that_fails_is_not_passed_over(hub: GitHubServer) -> None:
    bench = Bench(hub, preview=planned(), estimate=Ended(code=1))
    with pytest.raises(CommandFailedError, match="estimate"):
        bench.delivery.preview("HEAD")


def test_a_deployment_brings_the_stack_up_and_waits_for_its_service(hub: GitHubServer) -> None:
    bench = Bench(hub, preview=planned(*NEW_DATA))
    bench.delivery.deploy("abc")
    assert bench.commands == ["preview", "up", "status"]
    assert bench.told.calls[1] == ("up", "--stack", "dev", "--yes")
    assert bench.said == ["`https://x` serves model version 4: 9 same, 2 update."]


def test_a_deployment_that_would_lose_data_never_begins(hub: GitHubServer) -> None:
    bench = Bench(hub, preview=planned(LAKE))
    hub.pulls_of_commits["abc"] = [{"merged_at": "2026-11-25", "labels": [{"name": "bug"}]}]
    with pytest.raises(DataAtRiskError):
        bench.delivery.deploy("abc")
    assert bench.commands == ["preview"]


def test_a_deployment_may_lose_data_when_its_pull_request_said_so(hub: GitHubServer) -> None:
    bench = Bench(hub, preview=planned(LAKE))
    hub.pulls_of_commits["abc"] = [{"merged_at": "2026-11-25", "labels": [{"name": LABEL}]}]
    bench.delivery.deploy("abc")
    assert ("up", "--stack", "dev", "--yes", "--replace-data") in bench.told.calls


def test_a_deployment_whose_service_does_not_answer_fails(hub: GitHubServer) -> None:
    silent = Ended(code=0, content={"endpoint": "https://x", "service": {"ready": False}})
    with pytest.raises(ServiceNotReadyError, match="https://x"):
        Bench(hub, preview=planned(), status=silent).delivery.deploy("abc")


def test_without_new_data_nothing_is_trained(hub: GitHubServer) -> None:
    bench = Bench(hub, preview=planned())
    bench.delivery.retrain()
    assert bench.commands == ["status", "preview"]
    assert bench.said == ["No new data since the last training: nothing to do."]


def test_new_data_trains_and_serves(hub: GitHubServer) -> None:
    bench = Bench(hub, preview=planned(*NEW_DATA))
    bench.delivery.retrain()
    assert bench.commands == ["status", "preview", "up", "status"]


def test_an_undeployed_change_is_not_deployed_at_night(hub: GitHubServer) -> None:
    bench = Bench(hub, preview=planned(*NEW_DATA, resource("vault", "azure-native:keyvault:Vault", "update", "tags")))
    bench.delivery.retrain()
    assert bench.commands == ["status", "preview"]
    assert "vault would change too" in bench.said[0]


def test_a_rejected_model_opens_an_issue_with_the_report_and_a_later_one_closes_it(
    hub: GitHubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_RUN_ID", "99")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
    rejected, models = Ended(code=ExitCode.GATE_REJECTED), Ended(code=0, content=MODELS)
    bench = Bench(hub, preview=planned(*NEW_DATA), up=rejected, models=models)
    with pytest.raises(CommandFailedError, match="exit code 3"):
        bench.delivery.retrain()
    [issue] = hub.issues
    assert issue["title"] == "The gate rejected a model of stack dev"
    assert "rejected model version 5. Version 4 keeps serving." in issue["body"]
    assert "- The log loss is higher." in issue["body"]
    assert "| AUC | 0.7100 | 0.7700 |" in issue["body"]
    assert "calibration error" not in issue["body"]
    assert f"https://github.com/{REPOSITORY}/actions/runs/99" in issue["body"]
    [page] = {part for part in issue["body"].split("`") if part.startswith("docs/")}
    assert (ROOT / page).is_file()
    Bench(hub, preview=planned(*NEW_DATA)).delivery.retrain()
    assert hub.issues[0]["state"] == "closed"


def test_an_update_that_fails_otherwise_opens_no_issue(hub: GitHubServer) -> None:
    bench = Bench(hub, preview=planned(*NEW_DATA), up=Ended(code=1))
    with pytest.raises(CommandFailedError, match="exit code 1"):
        bench.delivery.retrain()
    assert hub.issues == []


def test_drift_opens_one_issue_and_closes_it_when_it_is_gone(hub: GitHubServer) -> None:
    gone = planned(resource("node-cpu", "azure-native:monitor:MetricAlert", "create"))
    bench = Bench(hub, preview=gone)
    for _ in range(2):
        with pytest.raises(ResourceDriftError, match="1 resource"):
            bench.delivery.resource_drift()
    assert [one["title"] for one in hub.issues] == ["Stack dev differs from its deployment"]
    assert bench.told.calls[1] == ("preview", "--stack", "dev", "--refresh")
    Bench(hub, preview=planned()).delivery.resource_drift()
    assert hub.issues[0]["state"] == "closed"


def test_allowed_differences_open_nothing(hub: GitHubServer) -> None:
    arranged = resource("workbook", "azure-native:applicationinsights:Workbook", "update", "serializedData")
    bench = Bench(hub, preview=planned(arranged))
    bench.delivery.resource_drift()
    assert hub.issues == []
    assert "1 allowed" in bench.said[0]


def test_the_real_command_s_object_and_exit_code_are_read() -> None:
    assert personalize("estimate", "--scenario", "reference").content["name"] == "reference"
    assert personalize("estimate", "--stack", "local").code == ExitCode.BAD_INPUT


def test_the_summary_of_the_run_is_written_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    tasks.summarise("# One")
    tasks.summarise("two")
    assert (tmp_path / "summary.md").read_text() == "# One\ntwo\n"
    assert capsys.readouterr().out == "# One\ntwo\n"


def test_what_is_posted_is_json_that_github_takes(hub: GitHubServer) -> None:
    Bench(hub, pull_request=7, preview=planned(*NEW_DATA)).delivery.preview("HEAD")
    assert json.loads(json.dumps(hub.comments)) == hub.comments
