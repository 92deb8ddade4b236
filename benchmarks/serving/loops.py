"""Loads other than closed loops: a given rate, and sustained load.

In the open loop a request's latency counts from the time it was due.
"""

import itertools
import json
import os
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx

from benchmarks.serving.bodies import together
from benchmarks.serving.process import core_seconds, event_loop
from benchmarks.serving.targets import ABOVE, MOST, STEADY, Figures
from features.bundle import Bundle
from personalize.load.client import run_load
from personalize.load.plan import LoadPlan
from steps.azure.candidate import comparison

TOLERANCE = 1e-9
CHECK_SECONDS = 0.1
HEAVY_RECORDS = 20
"""Records per request at 200 %: one client process couldn't send twice as many single requests as a worker answers."""

ABOVE_SECONDS = 30.0
ABOVE_CONNECTIONS = 250
"""The number of connections that an address may open without a key."""


def open_loops(plan: LoadPlan, points: Figures, seconds: float, process: subprocess.Popen[bytes]) -> Figures:
    """Open loops at 70 % of the closed loop's rate, and at 200 % of its rate with heavier requests."""
    capacity = points[MOST]["accepted_per_second"]
    records = [json.loads(body) for body in plan.bodies]
    bodies = [json.dumps({"records": some}).encode() for some in together(records, HEAVY_RECORDS)]
    heavy = replace(plan, bodies=bodies, connections=16, seconds=ABOVE_SECONDS / 3)
    steady = _watched(replace(plan, connections=64, seconds=seconds, rate=0.7 * capacity), process)
    limit = run_load(heavy).summary()["accepted_per_second"]
    above = replace(heavy, connections=ABOVE_CONNECTIONS, seconds=min(seconds, ABOVE_SECONDS), rate=2 * limit)
    return {STEADY: steady | {"capacity": capacity}, ABOVE: _watched(above, process) | {"capacity": limit}}


def _watched(plan: LoadPlan, process: subprocess.Popen[bytes]) -> Figures:
    """The load's figures, with those that explain the latency: how long the service and the clients computed and waited
    for a core, and the number of responses by latency as the service measured it."""
    who = {"service": event_loop(process), "clients": os.getpid()}
    before, counted = {name: core_seconds(pid) for name, pid in who.items()}, _counted(plan)
    found = run_load(plan).summary()
    for name, pid in who.items():
        now = core_seconds(pid)
        found[f"{name}_core_seconds"] = {key: round(now[key] - before[name][key], 2) for key in now}
    answers = _counted(plan).since(counted).seconds
    return found | {"answers_by_the_services_own_seconds": {str(bound): count for bound, count in answers.items()}}


def causes(points: Figures) -> str:
    """For each open loop, one sentence on the cause of its latency: a busy machine shows in the time spent waiting for
    a core, a slow service in the latencies that it measured itself."""
    return "\n".join(_cause(name, points[name]) for name in (STEADY, ABOVE))


def _cause(name: str, point: Figures) -> str:
    waited = {who: point[f"{who}_core_seconds"]["waited"] for who in ("service", "clients")}
    answers = sorted((float(bound), count) for bound, count in point["answers_by_the_services_own_seconds"].items())
    bound = next(bound for bound, count in answers if count >= 0.99 * answers[-1][1])
    return (
        f"{name}: of {point['seconds']:.0f} s the service waited {waited['service']:g} s for its core and the clients "
        f"{waited['clients']:g} s for theirs; 99 % of the answers took up to {1000 * bound:g} ms by the service's clock"
    )


def _counted(plan: LoadPlan) -> comparison.Figures:
    """The service's counters."""
    url = f"http://{plan.host}:{plan.port}/metrics"
    return comparison.Figures.read(httpx.get(url, headers=plan.headers, trust_env=False).text)


def endure(plan: LoadPlan, bundle: Path, seconds: float) -> Figures:
    """64 connections for `seconds`; meanwhile answers are compared with training's probabilities."""
    golden = itertools.cycle(Bundle.load(bundle).click_model.golden)
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
