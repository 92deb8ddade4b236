"""The service step with real processes: restarts, failed starts, drift, and a clean end.

The tests of the class depend on each other and run in order.
"""

import os
import shutil
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from azure_clients.retries import Context, StepCancelledError
from features.files import sha256
from steps import scoring_service
from steps.image_content import image_digest
from steps.service_processes import PortInUseError, ServiceStartError
from tests.steps.provider.service_stack import KEYS, RECORD, ServiceStack
from tests.steps.provider.steps import Recorder
from tests.support.certificates import make_certificate
from tests.support.checkout import processes_of
from tests.support.ports import free_port
from tests.support.services import wait_until


class TestLifeOfTheService:
    """The service from its first start to its end."""

    def test_a_taken_port_is_one_sentence_and_starts_nothing(self, stack: ServiceStack) -> None:
        with socket.create_server(("127.0.0.1", stack.port)):
            with pytest.raises(PortInUseError) as caught:
                stack.serve(1)
            assert f"Port {stack.port} of 127.0.0.1 is in use by process {os.getpid()}" in str(caught.value)
        assert not stack.folder.service.exists()

    def test_the_first_version_is_served_and_the_checks_of_its_start_count_as_nobodys_requests(
        self, stack: ServiceStack
    ) -> None:
        stack.serve(1)
        wait_until(lambda: "scoring_ready_workers 2.0" in stack.metrics())
        assert not [line for line in stack.metrics().splitlines() if line.startswith("scoring_requests_total")]
        assert stack.ask().json()["model"] == {"name": "ctr", "version": "1"}
        assert stack.folder.keys.stat().st_mode & 0o777 == 0o600

    def test_a_service_that_serves_the_same_is_left_alone(self, stack: ServiceStack) -> None:
        before = stack.numbers()
        stack.serve(1)
        assert stack.numbers() == before

    def test_a_new_version_restarts_the_service(self, stack: ServiceStack) -> None:
        before = stack.numbers()
        stack.serve(2)
        assert stack.ask().json()["model"]["version"] == "2"
        assert not before & stack.numbers()

    def test_other_settings_restart_the_service(self, stack: ServiceStack) -> None:
        stack.serve(2, max_records=1, workers=1)
        assert len(stack.workers()) == 1
        batch = {"records": [RECORD, RECORD]}
        address, key = f"http://127.0.0.1:{stack.port}/score", {"Authorization": f"Bearer {KEYS[0]}"}
        assert httpx.post(address, json=batch, headers=key).is_client_error, "max_records reached it"
        stack.serve(2)

    def test_another_port_is_served_and_the_old_one_is_free(self, stack: ServiceStack) -> None:
        before, stack.port = stack.port, free_port()
        stack.serve(2)
        assert stack.ask().status_code == 200
        with socket.create_server(("127.0.0.1", before)):
            pass

    def test_a_new_key_works_beside_the_old_one_without_a_restart(self, stack: ServiceStack) -> None:
        before = stack.numbers()
        stack.serve(2, keys=("second-key-of-the-service", KEYS[0]))
        assert [stack.ask(key).status_code for key in ("second-key-of-the-service", KEYS[0])] == [200, 200]
        stack.serve(2)
        assert stack.ask().status_code == 200
        assert stack.numbers() == before

    def test_replaced_certificate_files_are_served(self, stack: ServiceStack, tmp_path: Path) -> None:
        certificate, key = make_certificate(tmp_path)
        tls: dict[str, Any] = {"tls_certificate": str(certificate), "tls_key": str(key)}
        known = stack.serve(2, certificate_hash=sha256(certificate), **tls)
        first = certificate.read_text()
        assert ssl.get_server_certificate(("127.0.0.1", stack.port)) == stack.folder.certificate.read_text() == first
        make_certificate(tmp_path)
        again = stack.inputs(2, certificate_hash=sha256(certificate), **tls)
        assert stack.step.diff(known, again).changed == {"certificate_hash"}
        stack.serve(2, certificate_hash=sha256(certificate), **tls)
        second = certificate.read_text()
        assert ssl.get_server_certificate(("127.0.0.1", stack.port)) == stack.folder.certificate.read_text() == second
        assert second != first
        stack.serve(2)
        assert not stack.folder.certificate.exists()
        assert stack.ask().status_code == 200

    def test_an_image_that_cannot_be_served_leaves_the_old_one_serving(self, stack: ServiceStack) -> None:
        broken = other_image(stack, lambda image: (image / "model" / "model.txt").write_text("x"))
        with pytest.raises(ServiceStartError, match=r"cannot be served: .* model\.txt"):
            stack.serve(1, digest=broken)
        assert stack.ask().json()["model"]["version"] == "2"

    def test_a_service_that_ends_at_once_is_reported_and_another_one_can_be_served(self, stack: ServiceStack) -> None:
        with pytest.raises(ServiceStartError, match=r"ready: nothing to serve here\. Nothing serves now\. .* go back"):
            stack.serve(1, digest=image_that(stack, "echo nothing to serve here >&2; exit 1"))
        assert stack.numbers() == set()
        stack.serve(2)
        assert stack.ask().json()["model"]["version"] == "2"

    def test_a_service_that_never_gets_ready_is_ended(
        self, stack: ServiceStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scoring_service, "READY_SECONDS", 1.0)
        with pytest.raises(ServiceStartError, match="did not become ready"):
            stack.serve(
                1, digest=image_that(stack, 'exec "$PERSONALIZE_PYTHON" -c "import time; time.sleep(600)" "$@"')
            )
        assert stack.numbers() == set()

    def test_an_address_that_holds_the_old_one_is_served(self, stack: ServiceStack) -> None:
        stack.serve(2, host="0.0.0.0")  # noqa: S104 - it holds 127.0.0.1, which the old service must give up first
        assert stack.ask().json()["model"]["version"] == "2"
        assert len({process.pid for process in stack.workers()}) == 2
        stack.serve(2)

    def test_an_interrupted_restart_leaves_no_process_and_the_next_one_serves(self, stack: ServiceStack) -> None:
        interrupted = threading.Event()

        def interrupt(said: str) -> None:
            if said.startswith("waiting until the service"):
                interrupted.set()

        with pytest.raises(StepCancelledError):
            stack.step.create(stack.step.parse(stack.inputs(1)), Context(interrupt, interrupted))
        assert stack.numbers() == set()
        stack.serve(2)
        assert stack.ask().json()["model"]["version"] == "2"

    def test_a_service_that_runs_is_no_drift(self, stack: ServiceStack) -> None:
        known = stack.serve(2)
        assert stack.read(known) == {name: known[name] for name in ("endpoint", "served_version", "status")}
        assert not stack.step.diff(known, stack.inputs(2)).changed

    def test_the_end_leaves_no_process_no_port_and_no_file(self, stack: ServiceStack) -> None:
        known = stack.serve(2)
        stack.step.delete("ctr", known, Recorder().context)
        assert processes_of(stack.folder.path) == []
        assert not stack.folder.service.exists()
        with socket.create_server(("127.0.0.1", stack.port)):
            assert stack.read(known) is None


def image_that(stack: ServiceStack, does: str) -> str:
    """The digest of an image that passes its check and whose service runs the shell command `does` instead."""
    text = f'#!/bin/sh\ncase "$*" in *--check*) exit 0;; esac\n{does}\n'
    return other_image(stack, lambda image: (image / "entrypoint").write_text(text))


def other_image(stack: ServiceStack, change: Callable[[Path], object]) -> str:
    """The digest of an image that was made with this change."""
    made = shutil.copytree(stack.folder.image(stack.digests[0]), stack.folder.images / "made")
    change(made)
    digest = image_digest(made)
    made.rename(stack.folder.image(digest))
    return digest
