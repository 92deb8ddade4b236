"""The first `up` on Azure: what it announces, when it asks, and its output at the end."""

from pathlib import Path
from typing import Any

import pytest

from features.errors import BadInputError, PersonalizationError
from infra.cost.estimate import usd_per_month
from personalize.checks.machine import Finding, Status
from personalize.commands import lifecycle as azure_plan
from personalize.commands.lifecycle import agree, announcement, links_table
from personalize.terminal import results
from tests.personalize.subscription.test_power import SETTINGS

GOOD = Finding(name="roles", status=Status.OK, found="", wanted="")
BAD = Finding(name="roles", status=Status.WRONG, found="", wanted="", fix="ask the owner")
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


def test_a_size_without_a_known_price_stops_nothing() -> None:
    settings = SETTINGS.model_copy(update={"scoring_vm_size": "Standard_M416ms_v2"})
    assert "unknown: No price is known for Standard_M416ms_v2" in announcement("dev", settings)
    assert usd_per_month("dev", settings) is None
    assert usd_per_month("dev", SETTINGS) == 333.78  # 316.14 always on, 17.64 for trainings


def test_a_subscription_that_is_not_ready_stops_it_before_it_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure_plan, "diagnose_stack", lambda *_: [GOOD, BAD])
    with pytest.raises(PersonalizationError, match="Nothing was created"):
        agree("dev", SETTINGS, yes=True, check=True)


def test_it_goes_on_without_the_look_when_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure_plan, "diagnose_stack", lambda *_: [BAD])
    agree("dev", SETTINGS, yes=True, check=False)


def test_it_spends_nothing_where_nobody_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure_plan, "diagnose_stack", lambda *_: [GOOD])
    with pytest.raises(BadInputError, match="add `--yes`"):
        agree("dev", SETTINGS, yes=False, check=True)


def test_it_ends_with_everything_that_one_needs_next(capfd: pytest.CaptureFixture[str]) -> None:
    results.print(links_table(OUTPUTS, Path("authority.pem")))
    assert [line.strip().split(maxsplit=1) for line in capfd.readouterr().out.splitlines()] == [
        ["CA", "certificate  authority.pem"],
        ["image", "sha256:abc"],
        ["training", "run    https://adb-1/#job/1/run/2"],
        ["Databricks", "https://adb-1"],
        ["Azure", "ML        https://ml.azure.com/?wsid=/subscriptions/1"],
        ["a", "month         about 287 USD with 30 trainings of an hour, estimated"],
    ]
