"""`make bench-serving`: the scoring service and what people would deploy instead, in one run on this machine.

The clients share the machine's cores with the server that they load, so figures are lower bounds of each server alike.
"""

import argparse
import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psutil

from benchmarks.results import Target, at_least, at_most, publish
from benchmarks.serving_figures import draw, table
from benchmarks.serving_peers import Peer, install_all, peers
from features.bundle import Bundle
from personalize.load.client import run_load
from personalize.load.plan import LoadPlan
from steps.azure.candidate import comparison
from tests.support.bundles import make_bundle, random_records, to_arrays

START_SECONDS = 240.0
BATCH = 100
TOLERANCE = 1e-9
CHECK_SECONDS = 0.1
FIRST_PORT = 18_500
CONNECTIONS = (1, 16, 64)
OURS, SPARK = "ours, lightgbm", "ours, spark-serving"
OTHERS = ("azureml-inference-server-http", "mlserver", "mlflow models serve")

Figures = dict[str, Any]


def main() -> None:
    """Measure, print and write `benchmarks/results/serving.json`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each point")
    parser.add_argument("--open-loop-seconds", type=float, default=300.0, help="of the open loop at 70 %%")
    parser.add_argument("--endurance-seconds", type=float, default=600.0, help="of spark-serving at 64 connections")
    arguments = parser.parse_args()
    install_all()
    with TemporaryDirectory() as folder:
        bundle = make_bundle(Path(folder) / "bundle", rows=20_000, values=40_000, trees=50)
        figures = {}
        for peer in peers(bundle, Path(folder), _free_port()):
            print(f"measuring {peer.name}", flush=True)
            figures[peer.name] = _measure(peer, bundle, arguments)
            print(json.dumps(figures[peer.name], indent=1), flush=True)
    best = max(_rate(figures[OURS], f"single, {count} connections") for count in CONNECTIONS)
    content = {"requests_per_second_and_core": best, "seconds_a_point": arguments.seconds, "servers": figures}
    print(table(figures))
    print(publish("serving", content, _targets(figures)))
    draw(figures)


def _measure(peer: Peer, bundle: Path, arguments: argparse.Namespace) -> Figures:
    records, rows = _requests(bundle)
    bodies = {"single": peer.body(records[:1], rows[:1]), f"batches of {BATCH}": peer.body(records, rows)}
    plan = LoadPlan(
        host="127.0.0.1",
        port=peer.port,
        path=peer.path,
        body=_json(bodies["single"]),
        headers=peer.headers,
        seconds=arguments.seconds,
    )
    points: Figures = {}
    found: Figures = {"points": points}
    with _running(peer) as (process, log):
        found["start_seconds"] = round(_wait(plan, log), 2)
        run_load(replace(plan, connections=16, seconds=3.0))
        for count in CONNECTIONS:
            result = run_load(replace(plan, connections=count))
            points[f"single, {count} connections"] = result.summary()
        if peer.batches:
            batches = replace(plan, connections=4, body=_json(bodies[f"batches of {BATCH}"]))
            points[f"batches of {BATCH}"] = run_load(batches).summary()
        found["memory_mib"] = _memory(process)
        if peer.name == OURS:
            points |= _open_loop(plan, points, arguments.open_loop_seconds, process)
        if peer.name == SPARK:
            points["endurance"] = _endure(plan, bundle, arguments.endurance_seconds)
            found["memory_mib_after_endurance"] = _memory(process)
    return found


def _open_loop(plan: LoadPlan, points: Figures, seconds: float, process: subprocess.Popen[bytes]) -> Figures:
    """At 70 % of what the closed loop reached, and at 200 % with requests that cost the service ten times as much."""
    capacity = points["single, 64 connections"]["accepted_per_second"]
    # The clients could not send twice the single requests that a worker answers: they have one core as well.
    heavy = replace(plan, body=_json({"records": [json.loads(plan.body)] * 20}))
    with _apart(process):
        steady = _watched(replace(plan, connections=64, seconds=seconds, rate=0.7 * capacity), process)
        limit = run_load(replace(heavy, connections=16)).summary()["accepted_per_second"]
        above = replace(heavy, connections=1000, seconds=min(seconds, 30.0), rate=2 * limit)
        return {
            "open loop at 70 %": steady | {"capacity": capacity},
            "open loop at 200 %, 20 records each": _watched(above, process) | {"capacity": limit},
        }


def _watched(plan: LoadPlan, process: subprocess.Popen[bytes]) -> Figures:
    """The load's figures, and whose delay the latencies are: the seconds that the service and the clients computed and
    waited for a core, and the answers by how long they took by the service's own clock."""
    who = {"service": process.pid, "clients": os.getpid()}
    before, counted = {name: _core_seconds(pid) for name, pid in who.items()}, _counted(plan)
    found = run_load(plan).summary()
    for name, pid in who.items():
        now = _core_seconds(pid)
        found[f"{name}_core_seconds"] = {key: round(now[key] - before[name][key], 2) for key in now}
    answers = _counted(plan).since(counted).seconds
    return found | {"answers_by_the_services_own_seconds": {str(bound): count for bound, count in answers.items()}}


def _core_seconds(process: int) -> dict[str, float]:
    """Of a process's first thread, which is its event loop."""
    computed, waited, _ = Path(f"/proc/{process}/schedstat").read_text().split()
    return {"computed": int(computed) / 1e9, "waited": int(waited) / 1e9}


def _counted(plan: LoadPlan) -> comparison.Figures:
    """What the service has counted so far."""
    url = f"http://{plan.host}:{plan.port}/metrics"
    return comparison.Figures.read(httpx.get(url, headers=plan.headers, trust_env=False).text)


def _endure(plan: LoadPlan, bundle: Path, seconds: float) -> Figures:
    """64 connections for so long; meanwhile answers are compared with the probabilities that training gave."""
    golden = itertools.cycle(Bundle.load(bundle).golden)
    answers = Counter[str]()
    with ThreadPoolExecutor(1) as pool, httpx.Client(headers=plan.headers, trust_env=False, timeout=30) as client:
        load = pool.submit(run_load, replace(plan, connections=64, seconds=seconds), processes=2)
        while not load.done():
            expected = next(golden)
            answer = client.post(f"http://{plan.host}:{plan.port}{plan.path}", json=expected.record)
            if answer.is_success:
                same = abs(answer.json()["probability"] - expected.probability) <= TOLERANCE
                answers["right" if same else "wrong"] += 1
            else:
                answers[str(answer.status_code)] += 1
            time.sleep(CHECK_SECONDS)
    return load.result().summary() | {"checked": dict(answers)}


def _targets(figures: Figures) -> list[Target]:
    ours, spark = figures[OURS], figures[SPARK]
    single = max(_rate(ours, f"single, {count} connections") for count in CONNECTIONS)
    best_other = max(_rate(figures[name], f"single, {count} connections") for name in OTHERS for count in CONNECTIONS)
    steady = ours["points"]["open loop at 70 %"]
    heavy = ours["points"]["open loop at 200 %, 20 records each"]
    refused = heavy["refused_milliseconds"].get("p99", float("nan"))
    return [
        at_least("single records a second and worker", 20_000, single),
        at_most("p99 at 64 connections", 6, _p99(ours, "single, 64 connections"), "ms"),
        at_least("times the best of the other servers", 12, single / best_other),
        at_least("records a second in batches of 100", 80_000, BATCH * _rate(ours, f"batches of {BATCH}")),
        at_most("start to ready", 2, ours["start_seconds"], "s"),
        at_most("memory of a worker", 150, ours["memory_mib"], "MiB"),
        at_most("p99 of the open loop at 70 %", 10, steady["accepted_milliseconds"]["p99"], "ms"),
        at_most("errors of the open loop at 70 %", 0, sum(steady["errors"].values())),
        at_most("p99 of accepted requests at 200 %", 50, heavy["accepted_milliseconds"]["p99"], "ms"),
        at_most("p99 of the refusals at 200 %", 50, refused, "ms"),
        at_least("spark-serving, requests a second at 64 connections", 2500, _rate(spark, "single, 64 connections")),
        at_most("spark-serving, lost requests", 0, _lost(spark)),
        at_most("spark-serving, wrong answers", 0, spark["points"]["endurance"]["checked"].get("wrong", 0)),
        at_most(
            "spark-serving, memory after 10 minutes at 64 connections to that before",
            1.1,
            spark["memory_mib_after_endurance"] / spark["memory_mib"],
        ),
        at_most("spark-serving, start to ready", 25, spark["start_seconds"], "s"),
    ]


def _rate(server: Figures, point: str) -> float:
    return float(server["points"][point]["accepted_per_second"])


def _p99(server: Figures, point: str) -> float:
    return float(server["points"][point]["accepted_milliseconds"].get("p99", float("nan")))


def _lost(server: Figures) -> int:
    return sum(sum(point["errors"].values()) for point in server["points"].values())


def _requests(bundle: Path) -> tuple[list[dict[str, Any]], list[list[float]]]:
    """Records without a missing value, which not every server takes, and their encoded features."""
    loaded = Bundle.load(bundle)
    drawn = random_records(loaded.schema, 20_000, seed=7, values=40_000)
    whole = [record for record in drawn if all(value not in (None, "") for value in record.values())][:BATCH]
    encoded = loaded.encoder.encode(*to_arrays(loaded.schema, whole))
    return [dict(record) for record in whole], encoded.tolist()


def _wait(plan: LoadPlan, log: Path) -> float:
    """Seconds until the server answers the request with a score."""
    began = time.monotonic()
    url = f"http://{plan.host}:{plan.port}{plan.path}"
    headers = {"content-type": "application/json", **plan.headers}
    while time.monotonic() - began < START_SECONDS:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.post(url, content=plan.body, headers=headers, timeout=5, trust_env=False).is_success:
                return time.monotonic() - began
        time.sleep(0.02)
    raise SystemExit(f"{url} did not answer with a score within {START_SECONDS:g} seconds:\n{log.read_text()[-3000:]}")


@contextlib.contextmanager
def _running(peer: Peer) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The server's process and its log."""
    with TemporaryDirectory() as folder, (file := Path(folder) / "log").open("wb") as log:
        process = subprocess.Popen(
            peer.command,
            cwd=peer.folder,
            env={**os.environ, **peer.variables},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield process, file
        finally:
            family = [psutil.Process(process.pid), *_children(process)]
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            _, alive = psutil.wait_procs(family, timeout=10)
            for one in alive:
                with contextlib.suppress(psutil.Error):
                    one.kill()


@contextlib.contextmanager
def _apart(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """The server on one core and the clients on the others: in the open loop a client that takes the server's turn is
    seen as the server's delay."""
    cores = sorted(os.sched_getaffinity(0))
    _pin(process, cores[:1])
    os.sched_setaffinity(0, cores[1:] or cores)
    try:
        yield
    finally:
        _pin(process, cores)
        os.sched_setaffinity(0, cores)


def _pin(process: subprocess.Popen[bytes], cores: list[int]) -> None:
    for one in (psutil.Process(process.pid), *_children(process)):
        for thread in one.threads():
            os.sched_setaffinity(thread.id, cores)


def _children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        return []


def _memory(process: subprocess.Popen[bytes]) -> float:
    """MiB of the server's processes, pages that they share counted once."""
    total = 0
    for one in (psutil.Process(process.pid), *_children(process)):
        with contextlib.suppress(psutil.NoSuchProcess):  # what a server starts for a moment
            total += one.memory_full_info().pss
    return round(total / 2**20, 1)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _free_port() -> int:
    """A port with two more behind it, which one server wants, out of the range that the system gives to clients."""
    for port in range(FIRST_PORT, FIRST_PORT + 1000, 3):
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for number in range(port, port + 3):
                held.enter_context(socket.create_server(("127.0.0.1", number)))
            return port
    raise SystemExit(f"no three ports in a row are free from {FIRST_PORT} on; end what listens there")


if __name__ == "__main__":
    main()
