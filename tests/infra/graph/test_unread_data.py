"""An update of the steps after training declares the whole graph without reading the data."""

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from infra.program import deploy
from tests.infra.graph.recorder import run
from tests.infra.wiring.page import IN_PLACE
from tests.infra.wiring.recording import committed
from tests.support.listings import Listing
from training.datasets.manifest import Manifest


def test_the_same_is_declared_as_with_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
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
