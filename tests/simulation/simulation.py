"""The whole simulated Azure: the record, its fakes, the plugins' environment, and the control plane behind AKS."""

import base64
import os
import time
from collections.abc import Mapping
from pathlib import Path

from tests.simulation.fakes.internet import Internet
from tests.simulation.fakes.runs import Runs
from tests.simulation.kubernetes.aks import SYSTEM_NAMESPACES, Aks
from tests.simulation.kubernetes.control_plane import ControlPlane, Webhooks
from tests.simulation.services.kubernetes import CLUSTER
from tests.simulation.world import World

PROVIDER = "pulumi-resource-kubernetes"
GONE_SECONDS = 120
"""The longest that a deleted cluster's namespaces may need to go: twice half of a pod's grace period, and more."""


class Simulation:
    """Start it, run the product with `environment()`, inspect `world` and `plane`, stop it."""

    def __init__(self, folder: Path, runs: Runs, binaries: Mapping[str, Path]) -> None:
        """Everything is kept in `folder`. `binaries`: those of `tools.control_plane`."""
        self.world = World(folder / "world")
        self.internet = Internet(self.world, runs)
        self._binaries = binaries
        self._folder = folder
        self._plane: ControlPlane | None = None
        self._aks: Aks | None = None
        self.prepared: frozenset[str] = frozenset()
        """The IDs of what `personalize bootstrap` created, and no `destroy` deletes."""

    def start(self) -> None:
        """Start it all, which takes some seconds."""
        self.internet.start()
        base = self.internet.webhooks
        self._plane = plane = ControlPlane(
            self._folder / "plane", self._binaries, Webhooks(f"{base}/authenticate", f"{base}/authorize")
        )
        plane.start()
        authority = base64.b64encode(plane.certificate_authority).decode()
        self.world.set("kubernetes", {"server": plane.server, "certificate_authority_data": authority})
        self._aks = Aks(self.world, plane)
        self._aks.start()

    def stop(self) -> None:
        """Stop it all; the record and the data remain in the folder."""
        if self._aks is not None:
            self._aks.stop()
        if self._plane is not None:
            self._plane.stop()
        self.internet.stop()
        self.world.close()

    @property
    def plane(self) -> ControlPlane:
        """The control plane behind AKS."""
        if self._plane is None:
            raise RuntimeError("the simulation was not started")
        return self._plane

    def environment(self) -> dict[str, str]:
        """The environment variables that lead the product and Pulumi's engine here."""
        variables = self.internet.environment()
        return variables | {"PATH": f"{self._binaries[PROVIDER].parent}{os.pathsep}{variables['PATH']}"}

    def leftovers(self) -> list[str]:
        """What still exists after everything was destroyed, or was deleted only with something around it."""
        left = [record.id for record in self.world.all() if record.id not in self.prepared]
        left += self.world.setting("swept")
        left += [f"namespace {name}" for name in self._namespaces()]
        return left

    def _namespaces(self) -> list[str]:
        """Namespaces of stacks in the cluster. A deleted cluster takes its own along, here some moments later."""
        for _ in range(GONE_SECONDS):
            names = {item["metadata"]["name"] for item in self.plane.items("/api/v1/namespaces")} - SYSTEM_NAMESPACES
            if not names or list(self.world.all(CLUSTER)):
                break
            time.sleep(1)
        return sorted(names)

    @property
    def aks_errors(self) -> list[Exception]:
        """Errors of the stand-in for AKS."""
        return self._aks.errors if self._aks else []

    def strangers(self) -> list[str]:
        """Hosts outside the simulation that were called."""
        return list(self.internet.proxy.refused) if self.internet.proxy else []
