"""Stack `dev` on a simulated Azure, operated by the product's own session: what a scenario works with."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from azure_clients import credentials
from features.errors import PersonalizationError
from infra.azure_settings import AzureSettings
from personalize.bootstrap.subscription import Bootstrap
from personalize.commands.models import SERVING_STEPS
from personalize.stack.events import Outcome, StepUpdate
from personalize.stack.session import StackSession
from tests.simulation.fakes.cluster import LocalCluster, spark_environment
from tests.simulation.fakes.runs import Runs
from tests.simulation.faults import Faults
from tests.simulation.published import ROLES
from tests.simulation.runtime.environment import runtime
from tests.simulation.scenarios.remembered_training import RememberedTraining
from tests.simulation.simulation import Simulation
from tests.simulation.world import DEFAULTS, World
from tools.control_plane import binaries
from tools.paths import ROOT, stacks_folder
from tools.toolchain import pulumi_command

STACK = "dev"
TRAINING_MEMORY_GIB = 1
ROLLOUT_SECONDS = 30
"""Pods are ready at once here, so a rollout that takes longer never ends."""
SMALL = {
    "dataset": {"kind": "films", "users": 600, "films": 100},
    "training": {"num_leaves": 16},
    "gate": {"max_calibration_error": 0.5, "max_log_loss_rise": 0.5, "min_log_loss_gain": -0.1},
}
"""A model that is trained in seconds. It has few rows, so the gate accepts worse ones than champion and baselines."""
DEPLOYMENTS = "/apis/apps/v1/namespaces/scoring/deployments"
SETTLE_SECONDS, SETTLE_PAUSE = 120.0, 0.3
REPOSITORY = "octo/clicks"
STATE_CALL = re.compile(r"http (entra|vault) |http blob \w+ /state-")
"""A call of the state backend, or for a token."""
Touched = frozenset[str]
"""What was done to which resource, such as "replace scoring-pool"."""


def touched(outcome: Outcome) -> Touched:
    """What an operation did to which resource."""
    return frozenset(f"{change.operation} {change.name}" for change in outcome.resources)


class SimulatedStack:
    """One stack in one simulated Azure, with everything in `folder`; several may share what was `trained`."""

    def __init__(self, folder: Path, trained: Path) -> None:
        """Nothing runs yet."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        world = World(folder / "azure" / "world")
        cluster = LocalCluster(world, runtime(), spark_environment(memory_gib=TRAINING_MEMORY_GIB))
        self.training = RememberedTraining(cluster, world, trained)
        self.simulation = Simulation(world, Runs(self.training))
        self.settings = _settings()
        self._machines = 0

    @property
    def file(self) -> Path:
        """The stack file, written by `session`."""
        return self.folder / f"Pulumi.{STACK}.yaml"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start the simulated Azure, and lead this process to it."""
        with self.simulation.running(binaries()), self.simulation.entered():
            self.move()
            yield

    @property
    def world(self) -> World:
        return self.simulation.world

    @property
    def faults(self) -> Faults:
        """The calls, and faults for those to come."""
        return Faults(self.world)

    def calls(self) -> list[str]:
        """The calls that reached Azure, without those to the state backend."""
        made = (f"{call.operation} {call.type} {call.id}" for call in self.faults.calls())
        return [call for call in made if not STATE_CALL.match(call)]

    def bootstrap(self) -> None:
        """`personalize bootstrap`, by the owner of a subscription without resource providers. Afterwards deployers have
        the roles that it gave and no others."""
        self.session()  # writes the stack file
        self.world.set("registered_providers", [])
        settings = AzureSettings.model_validate(self.settings["azure"])
        self.world.set("deployer_roles", [ROLES["Owner"]])
        manager, before = credentials.resource_manager(settings.tenant), {record.id for record in self.world.all()}
        made = Bootstrap(stack=STACK, settings=settings, manager=manager, pause=lambda _: time.sleep(SETTLE_PAUSE))
        made.run(dry_run=False)
        self.world.set("deployer_roles", [])
        self.simulation.prepared |= {record.id for record in self.world.all()} - before
        time.sleep(self.world.setting("propagation_seconds") * self.world.setting("pace"))

    def unlock(self) -> None:
        """What the error says that a killed command's lock causes."""
        command = [str(pulumi_command()), "cancel", "--yes", "--stack", STACK]
        environment = os.environ | self.session().environment()
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)

    def up(self, *, refresh: bool = False) -> Outcome:
        """`personalize up`."""
        return self.session().up(_ignore, refresh=refresh)

    def roll_back(self, version: int | str) -> Outcome:
        """`personalize serve`."""
        self.settings["model_version"] = version
        return self.session().up(_ignore, only=SERVING_STEPS)

    def preview(self) -> Outcome:
        """`personalize preview`."""
        return self.session().preview(_ignore)

    def destroy(self) -> Outcome:
        """`personalize destroy`, which writes a new suffix into the stack file because used names stay taken."""
        done = self.session().destroy(_ignore)
        written = yaml.safe_load(self.file.read_text(encoding="utf-8"))["config"]
        self.settings["azure"]["suffix"] = written["personalization:azure"]["suffix"]
        return done

    def fails(self, operate: Callable[[], Outcome]) -> PersonalizationError:
        """The error of `operate`, with the product's own sentence; raises if it succeeds."""
        try:
            operate()
        except PersonalizationError as error:
            return error
        raise AssertionError("the operation went through although it was to fail")

    def move(self) -> None:
        """Go on from a machine that has nothing of the stack, like a workflow's runner."""
        self._machines += 1
        os.environ["PERSONALIZE_STATE"] = str(self.folder / f"machine-{self._machines}")

    def sign_in(self, deployer: int) -> None:
        """Let a deployer go on, from a machine that has nothing of the stack."""
        self.move()
        self.world.set("caller", self.settings["azure"]["deployers"][deployer]["object_id"])
        credentials.forget_tokens()

    def image(self) -> str:
        """The service's image, from its Deployment."""
        (deployment,) = self.simulation.plane.items(DEPLOYMENTS)
        return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])

    def serving(self) -> list[str]:
        """The names of the ready pods."""
        return sorted(
            pod["metadata"]["name"]
            for pod in self.simulation.plane.items("/api/v1/namespaces/scoring/pods")
            if any(item["type"] == "Ready" and item["status"] == "True" for item in pod["status"]["conditions"])
        )

    def cordon(self, *, unschedulable: bool) -> None:
        """Let no new pod onto any node, or let them again."""
        for node in self.simulation.plane.items("/api/v1/nodes"):
            self.simulation.plane.cordon(node["metadata"]["name"], unschedulable=unschedulable)

    def settle(self) -> None:
        """Wait until all pods are ready."""
        until = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < until:
            (deployment,) = self.simulation.plane.items(DEPLOYMENTS)
            if len(self.serving()) == deployment["spec"]["replicas"]:
                return
            time.sleep(SETTLE_PAUSE)
        raise AssertionError(f"the pods did not come to rest in {SETTLE_SECONDS:.0f} s")

    def wait_for_azure(self) -> None:
        """Wait until Azure has finished a killed command's requests; until then it refuses more."""
        busy = max((record.ready for record in self.world.all()), default=0.0)
        time.sleep(max(0.0, busy - time.time()))

    def champion(self) -> list[str]:
        """The model versions that are marked as champion."""
        assets = sorted(self.world.setting("ml_assets").items())
        tags = [body["properties"]["tags"] for key, body in assets if "/models/ctr/" in key]
        return [str(number) for number, tag in enumerate(tags, 1) if tag.get("champion", "former") != "former"]

    def files_left(self) -> list[str]:
        """The stack's files on this machine."""
        return sorted(path.name for path in stacks_folder().glob("*"))

    def with_input(self, name: str) -> list[str]:
        """The names of the stack's resources that have the input `name`."""
        return [item["urn"].rpartition("::")[2] for item in self.resources() if (item.get("inputs") or {}).get(name)]

    def resources(self) -> list[dict[str, Any]]:
        """The resources in Pulumi's state."""
        found: list[dict[str, Any]] = self.session()._state.snapshot().get("resources") or []  # noqa: SLF001 - no command prints them
        return found

    def session(self) -> StackSession:
        """A session of the product with the stack's current settings, which it writes into the stack file."""
        config = {f"personalization:{name}": value for name, value in self.settings.items()}
        self.file.write_text(yaml.safe_dump({"config": config}), encoding="utf-8")
        return StackSession(STACK, settings_file=self.file)


def _ignore(_: StepUpdate) -> None:
    """Show no progress."""


def _settings() -> dict[str, Any]:
    """The settings of the committed stack file, with the simulated subscription and a small model."""
    committed = yaml.safe_load((ROOT / f"Pulumi.{STACK}.yaml").read_text(encoding="utf-8"))["config"]
    settings = {name.removeprefix("personalization:"): value for name, value in committed.items()} | deepcopy(SMALL)
    deployers = [{**entry, "databricks_name": entry["object_id"]} for entry in DEFAULTS["deployers"]]
    settings["azure"] |= {
        "subscription": DEFAULTS["subscription"],
        "tenant": DEFAULTS["tenant"],
        "deployers": deployers,
        "rollout_seconds": ROLLOUT_SECONDS,
        "github_repository": REPOSITORY,
        "protect": False,
    }
    return settings
