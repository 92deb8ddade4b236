"""A candidate that the gate rejected, on Azure: what serves instead, and where it is reported."""

import shutil
from pathlib import Path

import pytest

from features.bundle import checked_hash
from steps.champion import ChampionOnAzure
from steps.model_versions import GateFailedError
from tests.steps.provider.azure.conftest import Cloud
from tests.steps.provider.azure.test_models import (
    TIMEOUT,
    candidate,
    registry,
    served,
    step,
    versions,
    with_metadata,
)
from tests.steps.provider.conftest import STACK, Recorder
from tests.steps.provider.steps import create
from tests.support.bundles import MakeBundle
from tools import azurite

pytestmark = pytest.mark.skipif(azurite.command() is None, reason="needs `python -m tools.azurite`")
REJECTED = {"accepted": False, "reasons": ["The AUC 0.51 is below 0.6."]}


def test_a_first_candidate_that_the_gate_rejected_is_registered_and_refused(
    cloud: Cloud, tmp_path: Path, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    del cloud
    rejected = with_metadata(bundle_of(1), tmp_path / "rejected", verdict=REJECTED)
    with pytest.raises(GateFailedError, match=r"rejected model version 1: The AUC 0\.51 is below 0\.6\."):
        create(step(tmp_path), candidate(tmp_path, rejected), recorder)
    assert [version.accepted for version in versions(recorder)] == [False]


def test_instead_of_a_rejected_candidate_the_newest_version_serves_that_the_stack_has_trained(
    cloud: Cloud, tmp_path: Path, recorder: Recorder, bundle_of: MakeBundle
) -> None:
    del cloud
    create(step(tmp_path), candidate(tmp_path, bundle_of(1)), recorder)
    imported = candidate(tmp_path / "imported", bundle_of(2))
    registry(recorder).register(bundle_of(2), imported["bundle_url"], {"run": "imported"})
    rejected = with_metadata(bundle_of(3), tmp_path / "rejected", verdict=REJECTED)
    shutil.rmtree(tmp_path / STACK / "runs")
    found = create(step(tmp_path), candidate(tmp_path, rejected), recorder).outputs
    assert (found.version, found.served_hash) == (1, checked_hash(bundle_of(1)))
    assert found.refusal.startswith("The gate rejected model version 3: The AUC 0.51 is below 0.6. Version 1 serves.")
    for _ in range(2):
        with pytest.raises(GateFailedError, match="rejected model version 3"):
            create(ChampionOnAzure(lambda stack: tmp_path / stack, TIMEOUT), served(1, found.refusal), recorder)
        assert [entry.number for entry in registry(recorder).list() if entry.champion] == [1]
    registry(recorder).register(bundle_of(2), imported["bundle_url"], {"run": "https://adb-1"})
    again = create(step(tmp_path), candidate(tmp_path, rejected), recorder).outputs
    assert again.version == 2, "which it has trained, too"
