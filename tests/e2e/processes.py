"""The processes of a checkout's stack, and what a test waits for."""

import socket
import time
from collections.abc import Callable

import psutil

from tests.support.checkout import Checkout


def service_processes(checkout: Checkout) -> list[psutil.Process]:
    """Every process of the checkout's stack."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(checkout.folder) in part for part in process.cmdline()):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def training_processes(checkout: Checkout) -> list[psutil.Process]:
    """The stack's processes that run training."""
    return [process for process in service_processes(checkout) if "training" in process.cmdline()]


def computing(checkout: Checkout) -> bool:
    """Whether training has used more than a second of CPU time, and so is past its start."""
    return any(process.cpu_times().user > 1 for process in training_processes(checkout))


def listening(port: int) -> bool:
    """Whether a process accepts connections on the port."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition: Callable[[], bool], *, timeout_seconds: float = 120) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            if condition():
                return
        except psutil.Error:
            pass
        assert time.monotonic() < deadline, "what the test waited for did not happen"
        time.sleep(0.02)
