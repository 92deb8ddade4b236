"""The workflows that a person starts: rollback, pause and resume; and what the nightly ones do with a paused stack."""

import pytest

from personalize.delivery.command import CommandFailedError, Ended
from personalize.delivery.tasks import MODEL_VERSION, ServiceNotReadyError
from tests.personalize.delivery.bench import Bench
from tests.personalize.delivery.github_server import GitHubServer
from tools.paths import ROOT

SERVES = Ended(code=0, content={"endpoint": "https://x", "service": {"ready": True}, "model_version": 3})
SILENT = Ended(code=0, content={"endpoint": "https://x", "service": {"ready": False}})
PAUSED = Ended(code=0, content={"endpoint": "https://x", "service": {"ready": False}, "cluster": {"power": "Stopped"}})


def test_a_rollback_serves_the_version_and_says_what_keeps_it(hub: GitHubServer) -> None:
    bench = Bench(hub, serve=Ended(code=0), status=SERVES)
    bench.delivery.rollback("3")
    assert bench.told.calls[0] == ("serve", "3", "--stack", "dev")
    assert bench.said[0] == "`https://x` serves model version 3."
    assert "Commit Pulumi.dev.yaml with the line `  personalization:model_version: 3`" in bench.said[1]
    assert MODEL_VERSION.partition(":")[2] in (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")


def test_the_newest_version_needs_no_line(hub: GitHubServer) -> None:
    bench = Bench(hub, serve=Ended(code=0), status=SERVES)
    bench.delivery.rollback("latest")
    assert "without the line `personalization:model_version`:" in bench.said[1]


def test_a_rollback_that_fails_says_so(hub: GitHubServer) -> None:
    with pytest.raises(CommandFailedError, match="serve 9 --stack dev` ended with exit code 2"):
        Bench(hub, serve=Ended(code=2)).delivery.rollback("9")
    with pytest.raises(ServiceNotReadyError, match="https://x does not answer"):
        Bench(hub, serve=Ended(code=0), status=SILENT).delivery.rollback("3")


def test_a_pause_says_what_still_costs_money(hub: GitHubServer) -> None:
    bench = Bench(hub, pause=Ended(code=0, content={"still_usd_per_month": {"registry": 5.0, "address": 3.6}}))
    bench.delivery.pause()
    assert bench.said == ["The cluster of stack `dev` is stopped. What stays costs 9 USD a month."]


def test_a_resume_waits_for_the_service(hub: GitHubServer) -> None:
    bench = Bench(hub, resume=Ended(code=0), status=SERVES)
    bench.delivery.resume()
    assert bench.said == ["`https://x` answers."]
    with pytest.raises(ServiceNotReadyError):
        Bench(hub, resume=Ended(code=0), status=SILENT).delivery.resume()


def test_the_nightly_workflows_leave_a_paused_stack_alone(hub: GitHubServer) -> None:
    bench = Bench(hub, status=PAUSED)
    bench.delivery.retrain()
    bench.delivery.resource_drift()
    assert bench.commands == ["status", "status"]
    assert bench.said == ["Stack `dev` is paused: nothing was done. The workflow `resume` starts it."] * 2
    assert hub.issues == []
