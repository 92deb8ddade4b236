"""Services that are killed, hang, lose their terminal, or whose folder is renamed."""

import json
import os
import pty
import shutil
import socket
import sys
from contextlib import suppress
from pathlib import Path
from time import sleep

import psutil
import pytest

from steps.scoring_service import STOPPED
from steps.service_processes import ServiceStartError
from tests.steps.provider.service_stack import ServiceStack
from tests.steps.provider.steps import Recorder
from tests.support.bundles import DAMAGES, MakeBundle

SERVE = """
import json, sys
from pathlib import Path
from steps.scoring_service import ScoringService
from tests.steps.provider.steps import Recorder, create
create(ScoringService(lambda stack: Path(sys.argv[1]) / stack), json.loads(sys.argv[2]), Recorder())
"""


def test_a_service_whose_files_were_removed_is_replaced(stack: ServiceStack) -> None:
    stack.serve(1)
    while stack.folder.service.exists():  # the workers still write into it
        shutil.rmtree(stack.folder.service, ignore_errors=True)
    stack.serve(2)
    assert stack.ask().json()["model"]["version"] == "2"
    assert stack.folder.service.stat().st_mode & 0o777 == 0o700


@pytest.mark.full
def test_a_killed_supervisor_takes_its_workers_along_and_is_seen_by_the_next_up(stack: ServiceStack) -> None:
    known, before = stack.serve(2), stack.processes.all()
    stack.supervisor().kill()
    psutil.wait_procs(before, timeout=60)
    assert stack.processes.all() == []
    assert stack.step.diff(known, stack.inputs(2)).changed == {"status"}
    with socket.create_server(("127.0.0.1", stack.port)):
        found = stack.read(known)
    assert found is not None
    assert found["status"] == STOPPED
    assert stack.step.diff({**known, **found}, stack.inputs(2)).changed == {"status"}
    stack.serve(2)
    assert stack.ask().status_code == 200


def test_no_service_starts_from_a_damaged_image_and_one_that_serves_is_not_read(stack: ServiceStack) -> None:
    stack.processes.end(stack.processes.all())
    image = stack.folder.image(stack.digests[0])
    for damage in DAMAGES:
        damage(image / "model")
        with pytest.raises(ServiceStartError, match=r"model version 1 in .* `\.venv.* up --refresh --stack test`"):
            stack.serve(1)
        assert stack.processes.all() == []
        stack.make_image(1)
    known, before = stack.serve(1, workers=1), stack.numbers()  # a second one may still be reading the image
    damage(image / "model")
    assert stack.step.diff(known, stack.inputs(1, workers=1)).changed == set()
    assert (stack.serve(1, workers=1), stack.numbers()) == (known, before)
    stack.make_image(1)


def test_a_worker_that_hangs_without_its_supervisor_is_ended(stack: ServiceStack) -> None:
    stack.serve(2)
    hung = stack.workers()[0]
    hung.suspend()
    supervisor = stack.supervisor()
    supervisor.kill()
    while supervisor in stack.processes.all():  # it ends after the signal was sent
        sleep(0.01)
    assert not stack.processes.running(), "the other worker may still answer"
    stack.serve(2)
    assert not hung.is_running()
    assert stack.ask().status_code == 200


def test_the_service_outlives_the_terminal_that_it_was_started_in(stack: ServiceStack) -> None:
    process, terminal = pty.fork()
    if process == 0:
        command = [sys.executable, "-c", SERVE, str(stack.path), json.dumps(stack.inputs(1))]
        os.execv(sys.executable, command)  # noqa: S606 - in this process
    with suppress(OSError):  # a terminal whose last program has ended
        while os.read(terminal, 4096):
            pass
    assert os.waitpid(process, 0)[1] == 0
    os.close(terminal)
    assert stack.supervisor().terminal() is None
    assert stack.ask().json()["model"]["version"] == "1"


def test_a_service_whose_folder_was_renamed_is_known_replaced_and_ended(
    tmp_path: Path, empty_registry: Path, bundle_of: MakeBundle
) -> None:
    stack = ServiceStack(tmp_path / "first", empty_registry, bundle_of)
    known = stack.serve(1)
    first = stack.processes.all()
    try:
        stack.path.rename(tmp_path / "second")
        stack = stack.at(tmp_path / "second")
        assert stack.numbers() == {process.pid for process in first}
        assert stack.step.diff(known, stack.inputs(1)).changed == {"status"}
        known = stack.serve(1)
        assert not [process for process in first if process.is_running()]
        assert stack.ask().status_code == 200
        assert stack.step.diff(known, stack.inputs(1)).changed == set()
        stack.path.rename(tmp_path / "third")
        stack = stack.at(tmp_path / "third")
        second = stack.processes.all()
        stack.step.delete("ctr", known, Recorder().context)
        assert second
        assert not [process for process in second if process.is_running()]
    finally:
        stack.processes.end([*first, *stack.processes.all()])


def test_the_service_of_an_original_is_not_that_of_its_copy(tmp_path: Path, stack: ServiceStack) -> None:
    stack.serve(1)
    shutil.copytree(stack.path, tmp_path / "copy")
    assert stack.at(tmp_path / "copy").processes.all() == []
    assert stack.processes.all()
