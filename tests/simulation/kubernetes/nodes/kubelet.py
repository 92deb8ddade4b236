"""A small kubelet for the pods of one namespace: kwok simulates the nodes but starts no processes.

Each pod is the image's entry point as a process with its own loopback address. It lacks what a container has: memory
limits, a read-only root, its own user.
"""

import asyncio
import itertools
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx

from tests.simulation.kubernetes.control_plane import ControlPlane
from tests.simulation.kubernetes.nodes.pod import Pod, local_address

LOOK_SECONDS = 0.1
NETWORK = "10.244.200"


class Kubelet(threading.Thread):
    """Reconciles with what the API server lists until `stop`."""

    def __init__(
        self, plane: ControlPlane, namespace: str, *, images: Mapping[str, Path], vault: Path, folder: Path
    ) -> None:
        """`images` maps references to folders; pods with other images wait. `folder` gets the pods' files and logs."""
        super().__init__(name="kubelet", daemon=True)
        self._plane = plane
        self._namespace = namespace
        self._images = images
        self._vault = vault
        self._folder = folder
        self._addresses = itertools.count(2)
        self._over = threading.Event()
        self.pods: dict[str, Pod] = {}
        """All pods that were started, by UID."""
        self.errors: list[BaseException] = []

    def run(self) -> None:
        """Reconcile until the end."""
        asyncio.run(self._main())

    def start(self) -> None:
        """Take over the namespace's pods from kwok, and start."""
        self.claim()
        super().start()

    def claim(self) -> None:
        """Take over the namespace's pods from kwok, again after each restart of the control plane."""
        self._plane.break_images([], others=[self._namespace])

    def stop(self) -> None:
        """Kill what is left, wait, and give the namespace back to kwok."""
        self._over.set()
        self.join()
        self._plane.break_images([])

    def address(self, name: str) -> str | None:
        """The address of the pod with this name; None if it never started."""
        found = [pod.address for pod in self.pods.values() if pod.path.endswith(f"/{name}")]
        return local_address(found[0]) if found else None

    async def _main(self) -> None:
        while not self._over.is_set():
            try:
                with suppress(httpx.TransportError):  # the API server is down: pods keep running, as on a cluster
                    await self._reconcile()
            except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to; tests read the list
                self.errors.append(error)
            await asyncio.sleep(LOOK_SECONDS)
        for pod in self.pods.values():
            self.errors.extend(pod.problems())
            pod.kill()

    async def _reconcile(self) -> None:
        listed = await asyncio.to_thread(self._plane.items, f"/api/v1/namespaces/{self._namespace}/pods")
        for manifest in listed:
            metadata, spec = manifest["metadata"], manifest["spec"]
            if "nodeName" not in spec:
                continue
            pod = self.pods.get(metadata["uid"])
            if pod is None:
                image = self._images.get(spec["containers"][0]["image"])
                if image is None:
                    continue
                folder = self._folder / metadata["name"]
                folder.mkdir(parents=True)
                pod = self.pods[metadata["uid"]] = Pod(self._plane, manifest, image, self._vault, folder)
                pod.start(f"{NETWORK}.{next(self._addresses)}")
            if "deletionTimestamp" in metadata:
                pod.leave(float(metadata["deletionGracePeriodSeconds"]))
