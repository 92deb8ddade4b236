"""The service step with real processes: rollout without a refused request, the way back, drift, and an end without
remains. The tests of the class build on one another in order."""

import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from steps.local.port import PortInUseError
from steps.local.registry import LocalRegistry
from steps.local.rollout import RolloutFailedError
from steps.local.scoring_service import STOPPED, ScoringService
from steps.local.serving_image import ServingImage
from steps.local.supervision import Supervisor
from steps.provider.step import State
from steps.shared.folders import StackFolder
from steps.shared.image_content import serving_code_hash
from tests.steps.provider.conftest import Recorder
from tests.steps.provider.steps import BASE, create, state
from tests.support.bundles import MakeBundle
from tests.support.checkout import free_port
from tests.support.services import wait_until

KEYS = ("first-key-of-the-service", "")
RECORD: dict[str, Any] = {}
"""Every feature missing, which is a record like any other."""


class Stack:
    """A registry with two versions, an image of each, and the service step."""

    def __init__(self, path: Path, empty_registry: Path, bundle_of: MakeBundle) -> None:
        self.folder = StackFolder(path / "test")
        shutil.copytree(empty_registry, self.folder.registry)
        self.registry = LocalRegistry(self.folder.registry)
        self.step = ScoringService(lambda stack: path / stack)
        self.port = free_port()
        images = ServingImage(lambda stack: path / stack)
        self.digests = []
        for seed in (1, 2):
            version = self.registry.register(bundle_of(seed))
            facts = {
                "version": version.number,
                "bundle_hash": version.bundle_hash,
                "code_hash": serving_code_hash(),
                "libraries": {},
            }
            self.digests.append(create(images, BASE | facts, Recorder()).id)

    def inputs(self, version: int, *, digest: str | None = None, keys: tuple[str, str] = KEYS) -> dict[str, Any]:
        """The inputs that serve a version."""
        settings = {"port": self.port, "workers": 2}
        chosen = digest or self.digests[version - 1]
        return {**BASE, "digest": chosen, "version": version, "settings": settings, "keys": list(keys)}

    def serve(self, version: int, **changes: Any) -> State:
        """Bring the service to a version and return its state."""
        inputs = self.inputs(version, **changes)
        return state(inputs, create(self.step, inputs, Recorder()))

    def read(self, known: State) -> State | None:
        """What a refresh finds."""
        found = self.step.read("ctr", known, Recorder().context)
        return None if found is None else found.model_dump()

    def ask(self, key: str = KEYS[0]) -> httpx.Response:
        """Score one record on a new connection."""
        address = f"http://127.0.0.1:{self.port}/score"
        return httpx.post(address, json=RECORD, headers={"Authorization": f"Bearer {key}"}, timeout=30)

    def metrics(self) -> str:
        """What the service counted."""
        headers = {"Authorization": f"Bearer {KEYS[0]}"}
        return httpx.get(f"http://127.0.0.1:{self.port}/metrics", headers=headers, timeout=30).text


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, empty_registry: Path, bundle_of: MakeBundle) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("service"), empty_registry, bundle_of)
    yield made
    Supervisor(made.folder.service).stop()


class TestLifeOfTheService:
    """From the first start to the end."""

    def test_a_taken_port_is_one_sentence_and_starts_nothing(self, stack: Stack) -> None:
        with socket.create_server(("127.0.0.1", stack.port)):
            with pytest.raises(PortInUseError) as caught:
                stack.serve(1)
            assert f"Port {stack.port} of 127.0.0.1 is in use by process {os.getpid()}" in str(caught.value)
        assert not stack.folder.service.exists()

    def test_the_checks_of_a_first_start_count_as_nobodys_requests(self, stack: Stack) -> None:
        stack.serve(1)  # which ends when one process answers, and the other may begin later
        wait_until(lambda: "scoring_ready_workers 2.0" in stack.metrics())
        assert not [line for line in stack.metrics().splitlines() if line.startswith("scoring_requests_total")]

    def test_the_first_version_is_served_and_is_the_champion(self, stack: Stack) -> None:
        assert stack.ask().json()["model"] == {"name": "ctr", "version": "1"}
        champion = stack.registry.get_champion()
        assert champion is not None
        assert champion.number == 1

    def test_the_keys_are_readable_by_their_owner_alone(self, stack: Stack) -> None:
        assert stack.folder.keys.stat().st_mode & 0o777 == 0o600

    def test_a_service_that_serves_the_same_is_left_alone(self, stack: Stack) -> None:
        before = [worker.pid for worker in Supervisor(stack.folder.service).workers()]
        stack.serve(1)
        assert [worker.pid for worker in Supervisor(stack.folder.service).workers()] == before

    def test_a_new_version_is_rolled_out_without_a_refused_request(self, stack: Stack) -> None:
        over = threading.Event()
        statuses = []

        def keep_asking() -> None:
            while not over.is_set():
                statuses.append(stack.ask().status_code)

        asking = threading.Thread(target=keep_asking)
        asking.start()
        try:
            stack.serve(2)
        finally:
            over.set()
            asking.join()
        assert set(statuses) == {200}
        assert stack.ask().json()["model"]["version"] == "2"

    def test_a_new_key_works_beside_the_old_one(self, stack: Stack) -> None:
        stack.serve(2, keys=("second-key-of-the-service", KEYS[0]))
        assert [stack.ask(key).status_code for key in ("second-key-of-the-service", KEYS[0])] == [200, 200]
        stack.serve(2)
        assert stack.ask().status_code == 200

    def test_an_image_that_cannot_be_served_leaves_the_old_one_serving(self, stack: Stack) -> None:
        broken = stack.folder.image("sha256:broken")
        shutil.copytree(stack.folder.image(stack.digests[0]), broken)
        with (broken / "model" / "model.txt").open("a") as model:
            model.write("x")
        with pytest.raises(RolloutFailedError, match=r"model\.txt"):
            stack.serve(1, digest="sha256:broken")
        assert stack.ask().json()["model"]["version"] == "2"
        champion = stack.registry.get_champion()
        assert champion is not None
        assert champion.number == 2

    def test_a_worker_that_dies_is_started_again(self, stack: Stack) -> None:
        supervisor = Supervisor(stack.folder.service)
        victim = supervisor.workers()[0].pid
        os.kill(victim, signal.SIGKILL)
        stack.serve(2)
        assert victim not in [worker.pid for worker in supervisor.workers()]
        assert stack.ask().status_code == 200

    def test_a_dead_supervisor_is_seen_by_a_refresh_and_healed(self, stack: Stack) -> None:
        known = stack.serve(2)
        assert stack.read(known) == {name: known[name] for name in ("endpoint", "served_version", "status")}
        assert not stack.step.diff(known, stack.inputs(2)).changed
        processes = _processes(stack)
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, timeout=10)
        found = stack.read(known)
        assert found is not None
        assert found["status"] == STOPPED
        assert stack.step.diff({**known, **found}, stack.inputs(2)).changed == {"status"}
        stack.serve(2)
        assert stack.ask().status_code == 200

    def test_the_end_leaves_no_process_no_port_and_no_file(self, stack: Stack) -> None:
        known = stack.serve(2)
        stack.step.delete("ctr", known, Recorder().context)
        assert not _processes(stack)
        assert not stack.folder.service.exists()
        with socket.create_server(("127.0.0.1", stack.port)):
            assert stack.read(known) is None


def _processes(stack: Stack) -> list[psutil.Process]:
    """Everything that runs from the service's folder or from one of the images."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(stack.folder.path) in part for part in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found
