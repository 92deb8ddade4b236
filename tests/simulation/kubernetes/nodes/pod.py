"""One pod: its volumes as folders, its container as a process, its status in the API server."""

import asyncio
import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.simulation.kubernetes.control_plane import ControlPlane
from tests.simulation.kubernetes.nodes.container import Container, usual_environment
from tests.simulation.kubernetes.nodes.image import entry_point, placed

SCRATCH = "/tmp"  # noqa: S108 - of the container
Manifest = Mapping[str, Any]


class Pod:
    """Runs a pod with one container until it is deleted."""

    def __init__(self, plane: ControlPlane, manifest: Manifest, image: Path, vault: Path, folder: Path) -> None:
        """`vault` is the content of a Key Vault volume; `folder` is for the pod's own files."""
        self._plane = plane
        self._metadata = manifest["metadata"]
        self._spec = manifest["spec"]
        self._image = image
        self._vault = vault
        self._folder = folder
        self._began = _now()
        self._since: dict[bool, str] = {}
        self.address = ""
        self.container: Container | None = None
        self._running: asyncio.Task[None] | None = None
        self._shutting_down: asyncio.Task[None] | None = None

    @property
    def path(self) -> str:
        """In the API."""
        return f"/api/v1/namespaces/{self._metadata['namespace']}/pods/{self._metadata['name']}"

    def start(self, address: str) -> None:
        """Start it with its own address."""
        self.address = address
        (spec,) = self._spec["containers"]
        mounts = self._mounts(spec)
        command = [*entry_point(self._image), *placed(spec.get("args", []), mounts, local_address(address))]
        self.container = Container(
            spec,
            command,
            address=local_address(address),
            folder=self._image / "app",
            environment=usual_environment(mounts.get(SCRATCH, self._folder)),
            log=self._folder / "log",
            changed=self._report,
        )
        self._running = asyncio.create_task(self.container.run())

    def leave(self, grace_seconds: float) -> None:
        """Begin to terminate; a second call does nothing."""
        if self._shutting_down is None:
            self._shutting_down = asyncio.create_task(self._leave(grace_seconds))

    def kill(self) -> None:
        """Kill its process, at the end of the tests."""
        if self.container is not None:
            self.container.kill()

    async def _leave(self, grace_seconds: float) -> None:
        if self.container is not None and self._running is not None:
            await self.container.end(grace_seconds)
            await self._running
        await asyncio.to_thread(self._plane.delete, self.path, gracePeriodSeconds=0)

    def problems(self) -> list[BaseException]:
        """What went wrong with the pod's own tasks."""
        tasks = [task for task in (self._running, self._shutting_down) if task is not None and task.done()]
        return [error for task in tasks if not task.cancelled() and (error := task.exception()) is not None]

    def _mounts(self, spec: Manifest) -> dict[str, Path]:
        volumes = {volume["name"]: volume for volume in self._spec.get("volumes", [])}
        found = {}
        for mount in spec.get("volumeMounts", []):
            if "csi" in volumes[mount["name"]]:
                found[mount["mountPath"]] = self._vault
            else:
                found[mount["mountPath"]] = self._folder / mount["name"]
                found[mount["mountPath"]].mkdir(exist_ok=True)
        return found

    async def _report(self) -> None:
        """Write the pod's status."""
        if self.container is None:
            return
        found = self.container.condition
        (spec,) = self._spec["containers"]
        since = self._since.setdefault(found.ready, _now())
        self._since = {found.ready: since}
        true = {"PodReadyToStartContainers": True, "Initialized": True}
        conditions = [
            {"type": kind, "status": str(holds), "lastTransitionTime": since if kind not in true else self._began}
            for kind, holds in {**true, "Ready": found.ready, "ContainersReady": found.ready}.items()
        ]
        waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
        status = {
            "phase": "Running",
            "startTime": self._began,
            "podIP": self.address,
            "podIPs": [{"ip": self.address}],
            "conditions": conditions,
            "containerStatuses": [
                {
                    "name": spec["name"],
                    "image": spec["image"],
                    "imageID": spec["image"],
                    "ready": found.ready,
                    "started": found.started,
                    "restartCount": found.restarts,
                    "state": {"running": {"startedAt": self._began}} if found.running else waiting,
                }
            ],
        }
        metadata = {key: self._metadata[key] for key in ("name", "namespace", "uid")}
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}
        await asyncio.to_thread(self._plane.apply, self.path, manifest, subresource="/status")


def local_address(address: str) -> str:
    """The loopback address behind a pod's address: the API server accepts no loopback addresses."""
    return "127." + address.partition(".")[2]


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
