"""A stack with two model versions, an image of each and the service step."""

import shutil
from copy import copy
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

from steps.folders import StackFolder
from steps.image_content import serving_code_hash
from steps.registry_here import LocalRegistry
from steps.scoring_service import ScoringService
from steps.service_processes import ServiceProcesses
from steps.serving_image import ServingImageHere
from steps.step import State
from tests.steps.provider.steps import BASE, Recorder, create, state
from tests.support.bundles import MakeBundle
from tests.support.ports import free_port

KEYS = ("first-key-of-the-service", "")
RECORD: dict[str, Any] = {}
"""A valid record in which every feature is missing."""


class ServiceStack:
    """A registry with two versions, an image of each, and the service step."""

    def __init__(self, path: Path, empty_registry: Path, bundle_of: MakeBundle) -> None:
        self._place(path)
        shutil.copytree(empty_registry, self.folder.registry)
        self.port = free_port()
        self.bundle_hashes = [self.registry.register(bundle_of(seed)).bundle_hash for seed in (1, 2)]
        self.digests = [self.make_image(version) for version in (1, 2)]

    def make_image(self, version: int) -> str:
        """The digest of a version's image, which is made or repaired."""
        made = {"version": version, "bundle_hash": self.bundle_hashes[version - 1]}
        facts = BASE | made | {"code_hash": serving_code_hash(), "libraries": {}}
        return create(ServingImageHere(lambda stack: self.path / stack), facts, Recorder()).id

    def _place(self, path: Path) -> None:
        self.path = path
        self.folder = StackFolder(path / "test")
        self.registry = LocalRegistry(self.folder.registry)
        self.processes = ServiceProcesses(self.folder)
        self.step = ScoringService(lambda stack: path / stack)

    def at(self, path: Path) -> Self:
        """This stack at another path, to which a test moves it."""
        moved = copy(self)
        moved._place(path)  # noqa: SLF001 - the same class
        return moved

    def inputs(
        self,
        version: int,
        *,
        digest: str | None = None,
        keys: tuple[str, str] = KEYS,
        certificate_hash: str | None = None,
        **scoring: Any,
    ) -> dict[str, Any]:
        """Inputs of the step that serve a version."""
        settings = {"port": self.port, "workers": 2, **scoring}
        chosen = digest or self.digests[version - 1]
        made = {"digest": chosen, "version": version, "bundle_hash": self.bundle_hashes[version - 1]}
        served = {**BASE, **made, "settings": settings, "keys": list(keys)}
        return served if certificate_hash is None else served | {"certificate_hash": certificate_hash}

    def serve(self, version: int, **changes: Any) -> State:
        """Start or update the service to serve a version; return the resource's state."""
        inputs = self.inputs(version, **changes)
        return state(inputs, create(self.step, inputs, Recorder()))

    def read(self, known: State) -> State | None:
        """What a refresh finds; None if the service is gone."""
        found = self.step.read("ctr", known, Recorder().context)
        return None if found is None else found.model_dump()

    def ask(self, key: str = KEYS[0]) -> httpx.Response:
        """Score one record over a new connection."""
        address = f"http://127.0.0.1:{self.port}/score"
        return httpx.post(address, json=RECORD, headers={"Authorization": f"Bearer {key}"}, timeout=30)

    def metrics(self) -> str:
        headers = {"Authorization": f"Bearer {KEYS[0]}"}
        return httpx.get(f"http://127.0.0.1:{self.port}/metrics", headers=headers, timeout=30).text

    def supervisor(self) -> psutil.Process:
        numbers = self.numbers()
        (found,) = [process for process in self.processes.all() if process.ppid() not in numbers]
        return found

    def workers(self) -> list[psutil.Process]:
        """The processes that answer requests."""
        return self.supervisor().children()

    def numbers(self) -> set[int]:
        """Process IDs of the supervisor and its workers."""
        return {process.pid for process in self.processes.all()}
