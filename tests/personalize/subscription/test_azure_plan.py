"""The first `up` on Azure: what it announces, when it asks, and its output at the end."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from features.errors import BadInputError
from infra.cost.estimate import usd_per_month
from personalize.checks.doctor import Status
from personalize.views import azure_plan, health
from personalize.views.azure_plan import PreflightFailedError, agree, announcement, azure_outcome, show_azure_outcome
from tests.personalize.subscription.test_power import SETTINGS

GOOD = {"name": "roles", "status": Status.OK, "found": "", "wanted": "", "fix": "", "ok": True}
BAD = GOOD | {"status": Status.WRONG, "fix": "ask the owner", "ok": False}
OUTPUTS: dict[str, Any] = {
    "endpoint": "https://score.westeurope.cloudapp.azure.com",
    "model_version": 3,
    "image_digest": "sha256:abc",
    "run": "https://adb-1/#job/1/run/2",
    "databricks": "https://adb-1",
    "authority": "PEM",
    "machine_learning": "https://ml.azure.com/?wsid=/subscriptions/1",
    "usd_per_month": 287.23,
}


def test_it_names_what_is_made_and_what_it_costs() -> None:
    text = "\n".join(announcement("dev", SETTINGS))
    for part in ("Databricks", "1 node(s) Standard_E4ds_v5", "AKS, tier Free", "1 to 3 nodes Standard_D2ds_v5"):
        assert part in text
    assert "About 336 USD a month (254 to 418)" in text
    assert "0.59 for each hour's training" in text


def test_a_size_without_a_known_price_stops_nothing() -> None:
    settings = SETTINGS.model_copy(update={"scoring_vm_size": "Standard_M416ms_v2"})
    assert "unknown: No price is known for Standard_M416ms_v2" in announcement("dev", settings)[-1]
    assert usd_per_month("dev", settings) is None
    assert usd_per_month("dev", SETTINGS) == 354.37  # 336.14 always on, 17.64 for trainings, 0.59 for canary runs


def test_a_service_on_the_cluster_s_own_nodes_is_announced_as_such() -> None:
    shared = SETTINGS.model_copy(update={"scoring_nodes_max": 0, "system_nodes_max": 1})
    assert "without zones: 1 node(s) Standard_D4ds_v5 for its own pods and the service" in "\n".join(
        announcement("dev", shared)
    )


def test_a_subscription_that_is_not_ready_stops_it_before_it_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure_plan, "diagnose_stack", lambda *_: [GOOD, BAD])
    with pytest.raises(PreflightFailedError, match="Nothing was created"):
        agree("dev", SETTINGS, None, yes=True, check=True)


def test_it_goes_on_without_the_look_when_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure_plan, "diagnose_stack", lambda *_: [BAD])
    agree("dev", SETTINGS, None, yes=True, check=False)


def test_it_spends_nothing_where_nobody_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure_plan, "diagnose_stack", lambda *_: [GOOD])
    with pytest.raises(BadInputError, match="add `--yes`"):
        agree("dev", SETTINGS, None, yes=False, check=True)


def test_what_mends_a_bad_finding_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    health.show_findings([BAD], to=Console())
    assert "roles: ask the owner" in capfd.readouterr().out


def test_it_ends_with_everything_that_one_needs_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path))
    found = azure_outcome("dev", OUTPUTS)
    assert (found["endpoint"], found["model_version"], found["image_digest"]) == (
        OUTPUTS["endpoint"],
        3,
        "sha256:abc",
    )
    assert Path(found["certificate"]).read_text() == "PEM"
    show_azure_outcome(found)
    screen = capfd.readouterr().out
    for shown in ("authority.pem", "sha256:abc", "run/2", "about 287 USD", "ml.azure.com"):
        assert shown in screen
