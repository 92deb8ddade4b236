"""A real scoring service in its own processes, for tests over HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import psutil

KEY = "a-key-of-the-tests-0123456789"
OTHER_KEY = "another-key-of-the-tests-9876543210"
START_SECONDS = 120.0
"""For a busy machine; an idle one needs one or two."""

LONG_TIMEOUTS = ["--queue-seconds", "60", "--deadline-seconds", "60", "--address-requests", "100000"]
"""Arguments of a service that refuses no request because of a busy machine or earlier requests."""


@dataclass(kw_only=True)
class RunningService:
    """A running service; `client` sends the valid key."""

    process: subprocess.Popen[bytes]
    log_file: Path
    keys_file: Path
    client: httpx.Client
    url: str
    extra: dict[str, Any] = field(default_factory=dict)

    def log(self) -> list[dict[str, Any]]:
        """The log's lines so far."""
        whole, _, _ = self.log_file.read_text().rpartition("\n")  # the last line may be half-written
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]

    def stop(self, *, seconds: float = 60.0) -> int:
        """Send SIGTERM, and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


def changed_service(code: str) -> list[str]:
    """A command in place of `python -m scoring`: `code` changes its modules first."""
    run = "runpy.run_module('scoring', run_name='__main__', alter_sys=True)"
    return [sys.executable, "-c", f"import runpy\n{code}\n{run}"]


FOLLOWS_SOON = changed_service("from scoring.worker import snapshots\nsnapshots.LOOK_SECONDS = 0.25")
"""A service that looks for changed snapshots 20 times as often, so that no test waits for seconds until it does."""


@contextmanager
def running_service(
    bundle: Path,
    folder: Path,
    *,
    arguments: Sequence[str] = (),
    keys: Sequence[str] = (KEY,),
    wait_ready: bool = True,
    scheme: str = "http",
    port: int = 0,
    log_to: Path | None = None,
    python: Sequence[str] = (sys.executable, "-m", "scoring"),
) -> Iterator[RunningService]:
    """Run `python -m scoring` on `bundle` with its files in `folder` until the block ends.

    If the log is outside `folder`, where it isn't read, `port` is required.
    """
    keys_file, log_file = folder / "keys", log_to or folder / "log"
    keys_file.write_text("\n".join(keys) + "\n")
    command = [*python, "--bundle", str(bundle), "--keys-file", str(keys_file), "--port", str(port), *arguments]
    with started_service(command, log_file=log_file, keys_file=keys_file, scheme=scheme, port=port) as service:
        if wait_ready:
            wait_until(lambda: is_ready(service), seconds=START_SECONDS)
        yield service


@contextmanager
def started_service(
    command: Sequence[str],
    *,
    log_file: Path,
    keys_file: Path,
    scheme: str = "http",
    port: int = 0,
) -> Iterator[RunningService]:
    """Start a service with `command`, wait until it listens, and stop it when the block ends.

    The port comes from its log unless it's given.
    """
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        port = port or _port(process, log_file)
        url = f"{scheme}://127.0.0.1:{port}"
        headers = {"authorization": f"Bearer {keys_file.read_text().split()[0].rpartition('=')[2]}"}
        with httpx.Client(base_url=url, headers=headers, timeout=60, verify=False) as client:  # noqa: S501 - own certificate
            yield RunningService(process=process, log_file=log_file, keys_file=keys_file, client=client, url=url)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def is_ready(service: RunningService) -> bool:
    if service.process.poll() is not None:
        raise AssertionError(f"The service ended; its log is {service.log_file}")
    try:
        return service.client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def accepts(service: RunningService) -> bool:
    url = httpx.URL(service.url)
    with socket.socket() as client:
        return client.connect_ex((url.host, url.port or 0)) == 0


def status_with(key: str, url: str) -> int:
    """The status of a request for a score from the service at `url`, with this key."""
    return httpx.post(f"{url}/score", json={}, headers={"authorization": f"Bearer {key}"}).status_code


def workers(service: RunningService) -> set[psutil.Process]:
    """The workers named in the log, after all started ones have logged that they are ready; empty before.

    A worker that is killed earlier loses log lines that it hasn't written yet.
    """
    started = [line["process"] for line in service.log() if line["event"] == "worker started"]
    if len(started) > sum(line["event"] == "ready" for line in service.log()):
        return set()
    return {psutil.Process(number) for number in started if psutil.pid_exists(number)}


def worker(service: RunningService) -> psutil.Process:
    """The worker of a service with one worker."""
    wait_until(lambda: workers(service))
    (found,) = workers(service)
    return found


def client_ports(service: RunningService) -> set[int]:
    """The clients' ports of the connections that workers have accepted and not closed."""
    connections = [one for worker in workers(service) for one in worker.net_connections("tcp")]
    return {one.raddr.port for one in connections if one.status == psutil.CONN_ESTABLISHED}


def metric(service: RunningService, name: str) -> float:
    """What the service has counted: a sample by its name and labels, or the sum of all that have this name."""
    samples = (line.rpartition(" ") for line in service.client.get("/metrics").text.splitlines())
    return sum(float(value) for sample, _, value in samples if sample == name or sample.startswith(f"{name}{{"))


def wait_until(condition: Any, *, seconds: float = 60.0) -> None:
    """Wait until `condition()` is true; fails the test after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} seconds"
        time.sleep(0.05)


@contextmanager
def sending(service: RunningService, clients: int) -> Iterator[list[int]]:
    """So many clients that ask for one score after another meanwhile: their statuses, 0 for a connection that broke."""
    ended, statuses = Event(), list[int]()

    def send() -> None:
        with httpx.Client(base_url=service.url, headers=service.client.headers, timeout=60) as client:
            while not ended.is_set():
                try:
                    statuses.append(client.post("/score", json={}).status_code)
                except httpx.TransportError:
                    statuses.append(0)

    threads = [Thread(target=send) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@contextmanager
def stopped(service: RunningService) -> Iterator[None]:
    """Stop the process of a service with one worker: everything sent meanwhile arrives at once."""
    process = worker(service)
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: process.status() == psutil.STATUS_STOPPED)
    try:
        yield
    finally:
        time.sleep(0.1)
        process.send_signal(signal.SIGCONT)


def run_scoring(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m scoring` until it ends."""
    command = [sys.executable, "-m", "scoring", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=dict(os.environ))


def _port(process: subprocess.Popen[bytes], log_file: Path) -> int:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        for line in log_file.read_text().splitlines():
            if line.startswith("{") and (event := json.loads(line)).get("event") == "listening":
                return int(event["port"])
        assert process.poll() is None, f"The service ended: {log_file.read_text()}"
        time.sleep(0.02)
    raise AssertionError(f"The service did not listen: {log_file.read_text()}")
