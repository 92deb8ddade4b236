"""The stack's Azure environment on the simulated Resource Manager, deployed by Pulumi's real engine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pulumi import automation

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from infra.azure_settings import AzureSettings
from infra.cloud.cluster_environment import ClusterEnvironment
from infra.cloud.environment import Environment, EnvironmentArgs
from infra.cloud.names import Names
from tests.simulation.pulumi_stack import pulumi_stack, put_groups
from tests.simulation.world import DEFAULTS, World

pytestmark = [pytest.mark.full, pytest.mark.engine]

POOL = "azure-native:containerservice:AgentPool"


@pytest.fixture
def settings() -> dict[str, Any]:
    """Settings with every optional part, and two deployers."""
    return {
        "subscription": DEFAULTS["subscription"],
        "tenant": DEFAULTS["tenant"],
        "deployers": DEFAULTS["deployers"],
        "alert_mail": "operators@example.com",
        "authorized_ip_ranges": "anywhere",
        "allowed_sources": "anywhere",
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
def stack(
    world: World, tmp_path: Path, program: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> automation.Stack:
    """The program as a stack on the simulated Azure."""
    return pulumi_stack(tmp_path, world, program, monkeypatch)


def up(stack: automation.Stack) -> dict[str, int]:
    """Deploy; how many resources were created, updated, replaced, or left the same."""
    return {str(kind): count for kind, count in (stack.up().summary.resource_changes or {}).items()}


def test_the_environment_comes_up_changes_in_part_and_leaves_nothing(
    stack: automation.Stack, world: World, settings: dict[str, Any]
) -> None:
    groups = put_groups(world, Names(stack="test", subscription=settings["subscription"], suffix="a"))
    created = up(stack)
    assert set(created) == {"create"}
    world.set("caller", DEFAULTS["deployers"][1]["object_id"])
    assert up(stack) == {"same": created["create"]}
    (before,) = [record.id for record in world.all(POOL)]
    settings["scoring_vm_size"] = "Standard_D4ds_v5"
    changes = up(stack)
    assert {kind: count for kind, count in changes.items() if kind != "same"} == {"replace": 1}
    (after,) = [record.id for record in world.all(POOL)]
    assert before != after
    stack.destroy()
    assert ({record.id for record in world.all()}, world.setting("swept")) == (set(groups), [])
