"""A Pulumi program as a stack of the real engine on the simulated Azure."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pulumi import automation

from infra.cloud.names import Names
from tests.simulation.fakes.internet import PLUGINS
from tests.simulation.plugins.environment import WORLD_VARIABLE
from tests.simulation.world import Record, World
from tools.paths import ROOT
from tools.toolchain import PulumiMissingError, pulumi_command


def put_groups(world: World, names: Names) -> list[str]:
    """Put the resource groups there that exist before a stack does; returns their IDs."""
    now = time.time()
    at = f"/subscriptions/{names.subscription}/resourceGroups"
    found = [f"{at}/{name}" for name in (names.training_group, names.serving_group)]
    for identity in found:
        world.put(Record(identity, "azure-native:resources:ResourceGroup", {}, {}, now, now))
    return found


def pulumi_stack(
    folder: Path, world: World, program: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> automation.Stack:
    """The stack, with its state in `folder`; this process and the plugins use `world`."""
    try:
        pulumi = automation.PulumiCommand(root=str(pulumi_command().parents[1]))
    except PulumiMissingError as error:
        pytest.skip(str(error))
    environment = {
        WORLD_VARIABLE: str(world.folder),
        "PULUMI_BACKEND_URL": folder.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "of-a-test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PYTHONPATH": str(ROOT),
        "SIMULATED_PYTHON": sys.executable,
        "PERSONALIZE_PYTHON": sys.executable,
    }
    monkeypatch.setenv("PATH", str(PLUGINS), prepend=":")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    options = automation.LocalWorkspaceOptions(pulumi_command=pulumi, env_vars=environment)
    return automation.create_or_select_stack("test", project_name="simulated", program=program, opts=options)
