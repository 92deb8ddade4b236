"""What the scenarios rely on: calls that fail once, previews that know what Azure will add, a model trained once."""

import json
from pathlib import Path
from typing import Any

import pytest

from steps.provider.step import UnknownValue
from tests.simulation.azure_native import AzureNative
from tests.simulation.examples import create_all, example
from tests.simulation.fakes.runs import Run, Runs
from tests.simulation.refusal import RefusedError
from tests.simulation.remembered_training import RememberedTraining
from tests.simulation.world import World

GROUP = "azure-native:resources:ResourceGroup"
CLUSTER = "azure-native:containerservice:ManagedCluster"
WHEEL: dict[str, Any] = {
    "tasks": [{"libraries": [{"whl": "/Workspace/Shared/a/0000/p.whl"}, {"pypi": {"package": "synapseml"}}]}]
}
OTHER_WHEEL: dict[str, Any] = {"tasks": [{"libraries": [{"whl": "/Workspace/Shared/a/1111/p.whl"}]}]}
REQUEST = {"request": json.dumps({"output": "abfss://models@lakea.dfs.core.windows.net/runs/1"})}


def test_every_call_fails_the_first_time_and_only_then(arm: AzureNative) -> None:
    arm.faults.fail_first("^create ")
    with pytest.raises(RefusedError, match="made to fail finally"):
        arm.create(GROUP, example(GROUP))
    made = arm.create(GROUP, example(GROUP))
    assert arm.delete(GROUP, made.id)
    arm.faults.fail_first("^create ")
    with pytest.raises(RefusedError, match="made to fail finally"):
        arm.create(GROUP, example(GROUP))
    arm.faults.fail_first(None)
    arm.create(GROUP, example(GROUP))


def test_a_preview_does_not_know_what_azure_adds_to_what_was_asked_for(arm: AzureNative) -> None:
    create_all(arm, until=CLUSTER)
    shown = arm.foreseen(CLUSTER, example(CLUSTER))["oidcIssuerProfile"]
    assert shown["enabled"] is True
    assert isinstance(shown["issuerURL"], UnknownValue)


def test_a_run_that_hangs_is_timed_out_by_its_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.simulation.fakes.runs.HANG_SECONDS", 0.0)
    runs = Runs(lambda _: "never")
    run = runs.start("1", inputs={}, parameters={}, caller="me", token=None, forced="hang")
    runs.wait()
    assert (run.result, run.message) == ("TIMEDOUT", "The run timed out.")


class Cluster:
    """Counts what it trains."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: list[int] = []

    def __call__(self, run: Run) -> str:
        """Leave a model."""
        self.seen.append(run.number)
        left = self.folder / "runs" / str(run.number) / "lake" / "lakea" / "models" / "runs" / "1"
        left.mkdir(parents=True)
        (left / "model.txt").write_text("tree")
        return "done"

    def judge(self, *_: Any) -> str:
        """Let everybody in."""
        return "token"


def test_the_same_run_is_trained_once_and_given_again_to_another_lake(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sent: list[str] = []
    monkeypatch.setattr("tests.simulation.remembered_training.Lake.fetch", lambda *_: None)
    monkeypatch.setattr(
        "tests.simulation.remembered_training.Lake.send",
        lambda lake: sent.extend(str(path.relative_to(lake._folder)) for path in lake._folder.rglob("*.txt")),  # noqa: SLF001 - what it would send
    )
    cluster = Cluster(world.folder)
    elsewhere = {"request": REQUEST["request"].replace("lakea", "lakeb")}
    counts = []
    for number, parameters in enumerate((REQUEST, elsewhere)):
        # Each on a simulated Azure of its own, as the parts of the scenarios are.
        training = RememberedTraining(cluster, world, tmp_path / "trained")  # type: ignore[arg-type]  # as far as it is used
        assert training(Run(number, "1", token=None, parameters=parameters, inputs=WHEEL, caller="me")) == "done"
        counts.append(training.trained)
    assert cluster.seen == [0]
    assert counts == [1, 0]
    assert sent == ["lakeb/models/runs/1/model.txt"]


def test_another_wheel_is_tried_anew(world: World, tmp_path: Path) -> None:
    cluster = Cluster(world.folder)
    training = RememberedTraining(cluster, world, tmp_path / "trained")  # type: ignore[arg-type]  # as far as it is used
    for number, wheel in enumerate((WHEEL, OTHER_WHEEL)):
        training(Run(number, "1", token=None, parameters=REQUEST, inputs=wheel, caller="me"))
    assert cluster.seen == [0, 1]


def test_a_run_that_was_cancelled_is_not_remembered(world: World, tmp_path: Path) -> None:
    cluster = Cluster(world.folder)
    training = RememberedTraining(cluster, world, tmp_path / "trained")  # type: ignore[arg-type]  # as far as it is used
    cancelled = Run(0, "1", token=None, parameters=REQUEST, inputs=WHEEL, caller="me")
    cancelled.cancelled.set()
    training(cancelled)
    training(Run(1, "1", token=None, parameters=REQUEST, inputs=WHEEL, caller="me"))
    assert cluster.seen == [0, 1]
    assert training.trained == 1
