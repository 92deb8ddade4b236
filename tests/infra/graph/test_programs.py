"""The two programs, side by side, and the one on Azure with data that nobody reads."""

from functools import partial

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from infra.program import deploy
from tests.infra.graph.recorder import run
from tests.infra.wiring.page import IN_PLACE
from tests.infra.wiring.recording import committed
from tests.support.listings import Listing
from training.datasets.manifest import Manifest

ONLY_HERE = {"service"}
"""Kubernetes objects replace it."""
ONLY_ON_AZURE = {"libraries", "workspace-ready", "service-certificate", "cluster-ready"}


def test_both_have_the_same_steps_but_for_what_only_one_needs_and_give_them_the_same() -> None:
    """Also what other steps compute: the mocks name each value after its step and output."""
    azure = committed("dev")
    machine = azure.model_copy(update={"target": "local", "azure": None})
    here, there = (run(partial(deploy, settings, "test"))[0].steps for settings in (machine, azure))
    assert here.keys() - there.keys() == ONLY_HERE
    assert there.keys() - here.keys() == ONLY_ON_AZURE
    del here["model"]["bundle"]  # a folder of this machine; on Azure the lake has it
    for name in here.keys() & there.keys():
        assert here[name] == {given: there[name][given] for given in here[name]}, name


def test_an_update_of_the_steps_after_training_declares_the_same_without_the_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = committed("dev", IN_PLACE["dataset"])
    monkeypatch.setattr("infra.program.AzureLake", lambda _: Listing(["clicks/days/day_0.tsv"]))
    read, _ = run(lambda: deploy(settings, "dev"))
    monkeypatch.setattr("infra.program.AzureLake", lambda _: None)
    unread, _ = run(lambda: deploy(settings, "dev", reads_data=False))
    found = sorted((one.typ, one.name) for one in unread.resources)
    assert found == sorted((one.typ, one.name) for one in read.resources)
    assert any(name.startswith("volume-data_shoplake_events_") for _, name in found)


def test_a_preview_takes_data_as_it_was_listed_before_without_reading_it(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = committed("dev", IN_PLACE["dataset"])
    monkeypatch.setattr("infra.program.AzureLake", lambda _: None)
    before = Manifest(kind="", hash="5" * 64, partitions=(), description="", versions={"interactions": 7})
    planned, _ = run(lambda: deploy(settings, "dev", listed=before))
    upload = planned.steps["data"]
    assert (upload["manifest_hash"], upload["versions"]) == ("5" * 64, {"interactions": 7})
