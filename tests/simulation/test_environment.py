"""The stack's own environment on the simulated Resource Manager, by the real engine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from infra.azure_settings import AzureSettings
from infra.cloud.cluster_environment import ClusterEnvironment
from infra.cloud.environment import Environment, EnvironmentArgs
from infra.cloud.names import Names
from tests.simulation.engine import Engine
from tests.simulation.fakes.internet import PLUGINS
from tests.simulation.plugin_environment import WORLD_VARIABLE
from tests.simulation.world import DEFAULTS, World
from tools.toolchain import PulumiMissingError, pulumi_command

pytestmark = pytest.mark.engine

POOL = "azure-native:containerservice:AgentPool"


@pytest.fixture
def settings() -> dict[str, Any]:
    """A stack with everything that a setting can add, by both deployers."""
    return {
        "subscription": DEFAULTS["subscription"],
        "tenant": DEFAULTS["tenant"],
        "deployers": DEFAULTS["deployers"],
        "alert_mail": "operators@example.com",
        "container_insights": True,
        "traces": True,
        "zones": ["1", "2", "3"],
    }


@pytest.fixture
def program(settings: dict[str, Any]) -> Callable[[], None]:
    """The environment of the settings."""

    def declare() -> None:
        azure = AzureSettings.model_validate(settings)
        names = Names(stack="test", subscription=azure.subscription, suffix=azure.suffix)
        ClusterEnvironment(Environment("environment", EnvironmentArgs(settings=azure, names=names)), ())

    return declare


@pytest.fixture
def engine(world: World, tmp_path: Path, program: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The stack."""
    try:
        pulumi_command()
    except PulumiMissingError as error:
        pytest.skip(str(error))
    monkeypatch.setenv("PATH", str(PLUGINS), prepend=":")
    made = Engine(tmp_path, {WORLD_VARIABLE: str(world.folder)}, program)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


def test_the_environment_goes_up_once_changes_in_part_and_leaves_nothing(
    engine: Engine, world: World, settings: dict[str, Any]
) -> None:
    created = engine.up()
    assert set(created) == {"create"}
    world.set("caller", DEFAULTS["deployers"][1]["object_id"])
    assert engine.up() == {"same": created["create"]}
    (before,) = [record.id for record in world.all(POOL)]
    settings["scoring_vm_size"] = "Standard_D4ds_v5"
    changes = engine.up()
    assert {kind: count for kind, count in changes.items() if kind != "same"} == {"replace": 1}
    (after,) = [record.id for record in world.all(POOL)]
    assert before != after
    engine.destroy()
    assert (world.all(), world.setting("swept")) == ([], [])
