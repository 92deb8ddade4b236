"""`doctor` and `bootstrap` as commands, on a subscription that was never used."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from personalize.bootstrap.names import STATE_GROUP
from personalize.bootstrap.resources import NAMESPACES
from personalize.checks.machine import diagnose
from tests.simulation.fakes.runs import Runs
from tests.simulation.published import ROLES
from tests.simulation.resource_manager import Arm
from tests.simulation.simulation import Simulation
from tests.simulation.world import DEFAULTS, World

Command = Callable[..., dict[str, Any]]
"""Runs a command of `personalize` on stack `dev`; returns its JSON output, exit status and standard error."""


@pytest.fixture
def subscription(world: World) -> Iterator[Simulation]:
    """A subscription without registered resource providers and without resources."""
    world.set("registered_providers", [])
    world.set("deployer_roles", [ROLES["Owner"]])
    with Simulation(world, Runs(lambda _: "never")).running() as simulation:
        yield simulation


@pytest.fixture
def personalize(subscription: Simulation, tmp_path: Path) -> Command:
    azure = {
        "subscription": DEFAULTS["subscription"],
        "tenant": DEFAULTS["tenant"],
        "deployers": list(DEFAULTS["deployers"]),
        "alert_mail": "operators@example.com",
        "authorized_ip_ranges": "anywhere",
        "allowed_sources": "anywhere",
        "github_repository": "octo/clicks",
    }
    file = tmp_path / "Pulumi.dev.yaml"
    config = {"personalization:target": "azure", "personalization:azure": azure}
    file.write_text(yaml.safe_dump({"config": config}), encoding="utf-8")
    own = {"PERSONALIZE_STATE": str(tmp_path / "state"), "PERSONALIZE_CONFIG_FILE": str(file)}
    environment = os.environ | subscription.environment() | own

    def run(name: str, *options: str) -> dict[str, Any]:
        command = [str(Path(sys.executable).with_name("personalize")), name, "--stack", "dev", "--json"]
        done = subprocess.run(
            [*command, *options],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        printed: dict[str, Any] = json.loads(done.stdout or "{}")
        return printed | {"code": done.returncode, "said": done.stderr}

    return run


def bad(found: dict[str, Any]) -> dict[str, bool]:
    """The subscription's failed checks, each with whether `bootstrap` fixes it; this machine's checks are left out."""
    machine = {finding.name for finding in diagnose()}
    return {
        one["name"]: "personalize bootstrap" in one["fix"]
        for one in found["findings"]
        if not one["ok"] and one["name"] not in machine
    }


def test_a_new_subscription_lacks_only_what_bootstrap_creates(
    personalize: Command, subscription: Simulation, world: World
) -> None:
    before = bad(personalize("doctor"))
    assert before
    assert all(before.values()), before
    made = personalize("bootstrap", "--yes")
    assert made["code"] == 0, made["said"]
    assert set(made["items"].values()) == {"made"}
    assert set(world.setting("registered_providers")) == set(NAMESPACES)
    assert bad(personalize("doctor")) == {}
    assert subscription.proxy.refused == []


@pytest.mark.full
def test_bootstrap_recovers_the_vault_of_a_state_that_was_deleted(personalize: Command, world: World) -> None:
    first = personalize("bootstrap", "--yes")
    titles = list(first["items"])
    vault, key = (next(title for title in titles if title.startswith(kind)) for kind in ("Key Vault", "key "))
    group = f"/subscriptions/{DEFAULTS['subscription']}/resourceGroups/{STATE_GROUP}"
    Arm(world).delete("azure-native:resources:ResourceGroup", group)
    again = personalize("bootstrap", "--yes")
    assert again["code"] == 0, again["said"]
    assert again["items"][vault] == "recovered"
    assert again["items"][key] == "there"
    assert bad(personalize("doctor")) == {}
