"""`make bench-serving`: the scoring service and what people would deploy instead, in one run on this machine.

The clients share the machine's cores with the server that they load, so figures are lower bounds of each server alike.
"""

import argparse
import itertools
import json
import os
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from benchmarks.results import publish
from benchmarks.serving.figures import table
from benchmarks.serving.peers import Peer, install_all, peers
from benchmarks.serving.process import apart, core_seconds, event_loop, free_port, memory, running, wait
from benchmarks.serving.targets import BATCH, CONNECTIONS, OURS, SPARK, Figures, rate, targets
from features.bundle import Bundle
from personalize.load.client import run_load
from personalize.load.plan import LoadPlan
from steps.azure.candidate import comparison
from tests.support.bundles import make_bundle, random_records, to_arrays

TOLERANCE = 1e-9
CHECK_SECONDS = 0.1


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
        for peer in peers(bundle, Path(folder), free_port()):
            print(f"measuring {peer.name}", flush=True)
            figures[peer.name] = _measure(peer, bundle, arguments)
            print(json.dumps(figures[peer.name], indent=1), flush=True)
    best = max(rate(figures[OURS], f"single, {count} connections") for count in CONNECTIONS)
    content = {"requests_per_second_and_core": best, "seconds_a_point": arguments.seconds, "servers": figures}
    print(table(figures))
    print(publish("serving", content, targets(figures)))


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
    with running(peer) as (process, log):
        found["start_seconds"] = round(wait(plan, log), 2)
        run_load(replace(plan, connections=16, seconds=3.0))
        for count in CONNECTIONS:
            result = run_load(replace(plan, connections=count))
            points[f"single, {count} connections"] = result.summary()
        if peer.batches:
            batches = replace(plan, connections=4, body=_json(bodies[f"batches of {BATCH}"]))
            points[f"batches of {BATCH}"] = run_load(batches).summary()
        found["memory_mib"] = memory(process)
        if peer.name == OURS:
            points |= _open_loop(plan, points, arguments.open_loop_seconds, process)
        if peer.name == SPARK:
            points["endurance"] = _endure(plan, bundle, arguments.endurance_seconds)
            found["memory_mib_after_endurance"] = memory(process)
    return found


def _open_loop(plan: LoadPlan, points: Figures, seconds: float, process: subprocess.Popen[bytes]) -> Figures:
    """At 70 % of what the closed loop reached, and at 200 % with requests that cost the service ten times as much."""
    capacity = points["single, 64 connections"]["accepted_per_second"]
    # The clients could not send twice the single requests that a worker answers: they have one core as well.
    heavy = replace(plan, body=_json({"records": [json.loads(plan.body)] * 20}))
    with apart(process):
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
    who = {"service": event_loop(process), "clients": os.getpid()}
    before, counted = {name: core_seconds(pid) for name, pid in who.items()}, _counted(plan)
    found = run_load(plan).summary()
    for name, pid in who.items():
        now = core_seconds(pid)
        found[f"{name}_core_seconds"] = {key: round(now[key] - before[name][key], 2) for key in now}
    answers = _counted(plan).since(counted).seconds
    return found | {"answers_by_the_services_own_seconds": {str(bound): count for bound, count in answers.items()}}


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


def _requests(bundle: Path) -> tuple[list[dict[str, Any]], list[list[float]]]:
    """Records without a missing value, which not every server takes, and their encoded features."""
    loaded = Bundle.load(bundle)
    drawn = random_records(loaded.schema, 20_000, seed=7, values=40_000)
    whole = [record for record in drawn if all(value not in (None, "") for value in record.values())][:BATCH]
    encoded = loaded.encoder.encode(*to_arrays(loaded.schema, whole))
    return [dict(record) for record in whole], encoded.tolist()


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


if __name__ == "__main__":
    main()
