"""The provider with Pulumi's real engine. The tests of the class depend on each other and run in order."""

import re
import shutil
import socket
from collections.abc import Iterator

import httpx
import psutil
import pytest

from steps.local.service_processes import ServiceProcesses
from steps.shared.folders import StackFolder
from tests.steps.provider.engine import EngineStack, failure
from tests.support.bundles import MakeBundle
from tests.support.ports import free_port

pytestmark = [pytest.mark.full, pytest.mark.engine]
RESOURCES = 10


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, bundle_of: MakeBundle) -> Iterator[EngineStack]:
    made = EngineStack(tmp_path_factory.mktemp("engine"), free_port())
    for seed, name in ((1, "one"), (2, "two")):
        shutil.copytree(bundle_of(seed), made.folder / name)
    yield made
    processes = ServiceProcesses(StackFolder(made.folder))
    processes.end(processes.all())


def served_version(stack: EngineStack) -> str:
    """The model version that the service reports, called with the stack's key."""
    outputs = stack.outputs()
    headers = {"Authorization": f"Bearer {outputs['key']}"}
    answer = httpx.post(f"{outputs['endpoint']}/score", json={}, headers=headers, timeout=30)
    return str(answer.json()["model"]["version"])


def service_processes(stack: EngineStack) -> list[psutil.Process]:
    """The service's supervisor and its workers."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(stack.folder) in part for part in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


class TestLifeOfAStack:
    """A stack from its first preview to `destroy`."""

    def test_a_preview_makes_nothing(self, stack: EngineStack) -> None:
        assert stack.preview() == {"create": RESOURCES}
        assert sorted(path.name for path in stack.folder.iterdir()) == ["one", "two"]

    def test_the_first_up_serves(self, stack: EngineStack) -> None:
        assert stack.up() == {"create": RESOURCES}
        assert served_version(stack) == "1"

    def test_progress_shows_beside_the_step(self, stack: EngineStack) -> None:
        assert any("ScoringService service" in line and "starting 2 processes" in line for line in stack.output)

    def test_a_refresh_finds_no_drift(self, stack: EngineStack) -> None:
        assert stack.up(refresh=True) == {"same": RESOURCES}

    def test_another_candidate_touches_version_image_and_service(self, stack: EngineStack) -> None:
        stack.model = "two"
        assert stack.up() == {"same": RESOURCES - 3, "replace": 2, "update": 1}
        assert served_version(stack) == "2"

    def test_an_unknown_version_is_one_sentence_and_the_old_one_serves_on(self, stack: EngineStack) -> None:
        stack.requested = 9
        said = failure(stack.up)
        assert "error: There is no model version 9; registered are: 1, 2." in said
        assert not re.search(r"Traceback|Unexpected <class", said)
        assert served_version(stack) == "2"

    def test_a_new_key_touches_key_and_service(self, stack: EngineStack) -> None:
        stack.requested = "latest"
        stack.up()
        stack.scoring["key_rotation"] = 2
        assert stack.up() == {"same": RESOURCES - 2, "update": 2}
        assert served_version(stack) == "2"

    def test_a_registry_that_is_gone_is_made_again(self, stack: EngineStack) -> None:
        shutil.rmtree(stack.folder / "registry")
        stack.up(refresh=True)
        assert served_version(stack) == "1"
        assert stack.up(refresh=True) == {"same": RESOURCES}

    def test_destroy_leaves_no_process_no_port_and_no_file(self, stack: EngineStack) -> None:
        assert stack.destroy() == {"delete": RESOURCES}
        assert service_processes(stack) == []
        assert sorted(path.name for path in stack.folder.iterdir()) == ["one", "two"]
        with socket.create_server(("127.0.0.1", int(stack.scoring["port"]))):
            pass
