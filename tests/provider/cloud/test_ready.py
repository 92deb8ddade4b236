"""The steps that wait for a workspace and a cluster, and the identity that they and all others call with."""

from pathlib import Path

import pytest

from infra.cloud.steps.patience import AzureRefusedError, Patience
from infra.cloud.steps.workspace_ready import MetastoreMissingError, WorkspaceReady
from infra.provider.step import StepCancelledError
from tests.provider.cloud.conftest import AZURE, NOBODY, Cloud
from tests.provider.conftest import Recorder
from tests.provider.steps import create
from tests.simulation.examples import DEPLOYER
from tests.simulation.faults import FaultKind

SHORT = Patience(seconds=0.5, pause=0.05)
LONG = Patience(seconds=20, pause=0.05)


def ready(tmp_path: Path, patience: Patience = LONG) -> WorkspaceReady:
    return WorkspaceReady(lambda stack: tmp_path / stack, patience)


def test_the_deployer_becomes_a_member_by_signing_in(cloud: Cloud, tmp_path: Path, recorder: Recorder) -> None:
    cloud.world.set("members", {})
    created = create(ready(tmp_path), {**AZURE, **cloud.workspace}, recorder)
    assert created.computed == {"url": f"https://{cloud.workspace['workspace_host']}", "metastore": "m-1"}
    assert list(cloud.world.setting("members").values()) == [[DEPLOYER]]


@pytest.mark.parametrize("fault", [FaultKind.THROTTLED, FaultKind.UNAVAILABLE, FaultKind.EXPIRED])
def test_a_workspace_that_is_busy_or_wants_a_new_token_is_asked_again(
    cloud: Cloud, tmp_path: Path, recorder: Recorder, fault: FaultKind
) -> None:
    cloud.arm.faults.order("^http databricks GET .*/Me", kind=fault)
    assert create(ready(tmp_path), {**AZURE, **cloud.workspace}, recorder).computed["metastore"] == "m-1"


def test_a_stranger_is_waited_for_and_then_told_who_may_deploy(
    cloud: Cloud, tmp_path: Path, recorder: Recorder
) -> None:
    cloud.sign_in(NOBODY)
    with pytest.raises(AzureRefusedError, match=r"join the Databricks workspace.*azure\.deployers"):
        create(ready(tmp_path, SHORT), {**AZURE, **cloud.workspace}, recorder)
    assert "the role is not effective yet" in recorder.lines[-1]


def test_waiting_ends_at_an_interruption(cloud: Cloud, tmp_path: Path, recorder: Recorder) -> None:
    cloud.sign_in(NOBODY)
    recorder.cancelled.set()
    with pytest.raises(StepCancelledError):
        create(ready(tmp_path, Patience(seconds=60, pause=30)), {**AZURE, **cloud.workspace}, recorder)


def test_a_workspace_without_a_metastore_says_who_can_make_one(
    cloud: Cloud, tmp_path: Path, recorder: Recorder
) -> None:
    cloud.world.set("metastore", value=False)
    with pytest.raises(MetastoreMissingError, match="account admin"):
        create(ready(tmp_path), {**AZURE, **cloud.workspace}, recorder)
