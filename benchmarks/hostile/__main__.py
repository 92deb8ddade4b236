"""`python -m benchmarks.hostile`: attacks a service and prints the effect of each attack on a client with a key.

By default it starts its own service with a model of the default settings and one worker on one core. Or it attacks a
running one:

    python -m benchmarks.hostile --url http://127.0.0.1:8123 --key-file .personalize/local/service/keys

Use it only on a service of your own: the attacks harm it, and if it runs on this machine, its workers are stopped and
killed. The measuring client shares a core with the attackers but has priority over them, or their computing time would
count as the service's delay.
"""

import argparse
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.hostile.attacks import ATTACKS, Target, run
from benchmarks.results import at_most, publish
from benchmarks.serving.bodies import train
from benchmarks.serving.process import apart
from personalize.load.client import run_load
from personalize.load.plan import LoadPlan, made_up

CONNECTIONS = 16
RATE = 300.0
"""Requests per second of the client with a key: well below a service's capacity."""

LONGEST_WAIT_SECONDS = 6.0
"""The longest accepted latency while a worker is stopped or killed."""

ATTACKERS_NICENESS = 10
KEY = "a-key-of-the-attacked-0123456789"
MEMORY_MIB = 200.0
TIMES_SLOWER = 2.0

Felt = dict[str, Any]


def main() -> None:
    """Attack, print a table, and write `benchmarks/results/hostile.json`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description="Attack a running service.")
    parser.add_argument("--url", help="address of a running service; by default the bench starts one")
    parser.add_argument("--key-file", type=Path, help="its keys file; the first key is used")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each attack lasts")
    parser.add_argument("--only", metavar="NUMBER", help="a single attack, by its number")
    options = parser.parse_args()
    if options.url is None:
        with _own_service() as (url, key):
            _attack(_target(url, key), options)
    elif options.key_file is None:
        parser.error("--url needs --key-file")
    else:
        _attack(_target(options.url, options.key_file.read_text().split()[0].rpartition("=")[2]), options)


def _attack(target: Target, options: argparse.Namespace) -> None:
    alone = _feel(target, options.seconds)
    felt = {"nothing": alone}
    with ProcessPoolExecutor(1, get_context("spawn"), os.nice, (ATTACKERS_NICENESS,)) as pool:
        pool.submit(os.getpid).result()  # wait until the attack's process has started
        for name, attack in ATTACKS.items():
            if options.only in (None, name.split()[0]):
                going = pool.submit(run, attack, target, options.seconds)
                felt[name] = _feel(target, options.seconds) | {"attack": going.result()}
                time.sleep(1)  # let this attack's connections close before the next
    if options.only in (None, "4", "8") and _workers(target):
        felt["4 a stopped worker"] = _feel(target, options.seconds, signal.SIGSTOP)
        felt["8 a killed worker"] = _feel(target, options.seconds, signal.SIGKILL)
    _print(felt)
    limit = TIMES_SLOWER * alone["p99_ms"]
    targets = [at_most(f"p99 with {name}", limit, one["p99_ms"], "ms") for name, one in felt.items() if "1, 2" in name]
    targets += [
        at_most(f"longest wait with {name}", LONGEST_WAIT_SECONDS * 1000, one["longest_ms"], "ms")
        for name, one in felt.items()
        if name.startswith(("4", "8"))
    ]
    memory = max(one["memory_mib"] or 0.0 for one in felt.values())
    print(publish("hostile", {"felt": felt}, [*targets, at_most("memory", MEMORY_MIB, memory, "MiB")]))


@contextmanager
def _own_service() -> Iterator[tuple[str, str]]:
    """Start a service on the first core, with this process on the last; yields the service's address and key."""
    with TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as free:
        folder = Path(name)
        bundle = train(folder)
        (folder / "keys").write_text(KEY)
        port = free.getsockname()[1]
        free.close()
        command = [sys.executable, "-m", "scoring", "--bundle", str(bundle), "--keys-file", str(folder / "keys")]
        command += ["--port", str(port)]
        with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                _wait(f"http://127.0.0.1:{port}", process)
                with apart(process):
                    yield f"http://127.0.0.1:{port}", KEY
            finally:
                process.terminate()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the service is ready."""
    while process.poll() is None:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/readyz", trust_env=False).is_success:
                return
        time.sleep(0.1)
    raise SystemExit("the service did not start")


def _target(url: str, key: str) -> Target:
    address = httpx.URL(url)
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(headers=headers, verify=False, trust_env=False) as client:  # noqa: S501 - it may be self-signed
        described = client.get(f"{url}/openapi.json").raise_for_status()
    content = described.json()["paths"]["/score"]["post"]["requestBody"]["content"]["application/json"]
    return Target(
        host=address.host,
        port=address.port or (443 if address.scheme == "https" else 80),
        tls=address.scheme == "https",
        key=key,
        record=content["examples"]["one"]["value"],
    )


def _feel(target: Target, seconds: float, worker_signal: signal.Signals | None = None) -> Felt:
    """The figures of a client with a key, in an open loop, and the service's memory if it runs on this machine.

    After a quarter of the time, `worker_signal` is sent to one of the service's workers.
    """
    plan = LoadPlan(
        host=target.host,
        port=target.port,
        path="/score",
        bodies=[json.dumps(record).encode() for record in made_up(target.record)],
        headers={"authorization": f"Bearer {target.key}"},
        connections=CONNECTIONS,
        seconds=seconds,
        rate=RATE,
        tls=target.tls,
    )
    if worker_signal is not None:
        Timer(seconds / 4, _workers(target)[0].send_signal, [worker_signal]).start()
    return _figures(run_load(plan).summary()) | {"memory_mib": _memory(target)}


def _figures(summary: dict[str, Any]) -> Felt:
    """The figures of a load that an attack may change; latencies are infinite if nothing was answered."""
    accepted, refused = summary["accepted_milliseconds"], summary["refused_milliseconds"]
    return {
        "requests": summary["requests"],
        "statuses": summary["statuses"],
        "errors": summary["errors"],
        "p50_ms": accepted.get("p50", math.inf),
        "p99_ms": accepted.get("p99", math.inf),
        "longest_ms": max((one["max"] for one in (accepted, refused) if one), default=math.inf),
    }


def _service(target: Target) -> psutil.Process | None:
    """The listening process, if it's on this machine and visible to this user."""
    if not target.local:
        return None
    for found in psutil.net_connections("tcp"):
        listens = found.status == psutil.CONN_LISTEN and getattr(found.laddr, "port", None) == target.port
        if listens and found.pid is not None:
            process = psutil.Process(found.pid)
            parent = process.parent()
            return parent if parent is not None and parent.cmdline() == process.cmdline() else process
    return None


def _workers(target: Target) -> list[psutil.Process]:
    service = _service(target)
    return [] if service is None else service.children()


def _memory(target: Target) -> float | None:
    """The memory of the service's processes in MiB, with shared pages counted once."""
    service = _service(target)
    if service is None:
        return None
    return round(sum(one.memory_full_info().pss for one in (service, *service.children(recursive=True))) / 2**20, 1)


def _print(felt: dict[str, Felt]) -> None:
    columns = ("attack", "requests", "not 200", "no answer", "p50 ms", "p99 ms", "longest ms", "MiB")
    table = Table(*columns, title="what a client with a key felt")
    for name, one in felt.items():
        other = sum(count for status, count in one["statuses"].items() if status != "200")
        latencies = (one["p50_ms"], one["p99_ms"], one["longest_ms"])
        figures = (one["requests"], other, sum(one["errors"].values()), *latencies, one["memory_mib"])
        table.add_row(name, *map(str, figures))
    Console().print(table)


if __name__ == "__main__":
    main()
