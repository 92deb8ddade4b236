"""An update of the steps after training declares the whole graph without reading the data."""

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from infra.graph import deploy
from tests.infra.graph.cloud_recorder import run_cloud
from tests.infra.wiring.page import IN_PLACE
from tests.infra.wiring.recording import committed
from tests.support.listings import Listing


def test_the_same_is_declared_as_with_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = committed("dev", IN_PLACE["dataset"])
    monkeypatch.setattr("infra.graph.AzureLake", lambda _: Listing(["clicks/days/day_0.tsv"]))
    read, _ = run_cloud(lambda: deploy(settings, "dev"))
    monkeypatch.setattr("infra.graph.AzureLake", lambda _: None)
    unread, _ = run_cloud(lambda: deploy(settings, "dev", reads_data=False))
    found = sorted((one.typ, one.name) for one in unread.resources)
    assert found == sorted((one.typ, one.name) for one in read.resources)
    assert any(name.startswith("volume-data_shoplake_events_") for _, name in found)
