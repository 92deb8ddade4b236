"""Loads other than closed loops: a given rate, and sustained load."""

import itertools
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx

from benchmarks.serving.load import Load, run_load
from benchmarks.serving.targets import ABOVE, BATCHES, STEADY, Figures
from benchmarks.serving.wrk import closed_loop
from features.bundle import Bundle

TOLERANCE = 1e-9
CHECK_SECONDS = 0.1
ABOVE_SECONDS = 30.0
ABOVE_CONNECTIONS = 250
"""The number of connections that an address may open without a key."""


def open_loops(batches: Load, points: Figures, seconds: float) -> Figures:
    """Batches at 70 % and at 200 % of the closed loop's rate. Their clients can send twice as many as a worker
    answers, which they couldn't of single requests."""
    capacity = points[BATCHES]["accepted_per_second"]
    steady = replace(batches, connections=64, seconds=seconds, rate=0.7 * capacity)
    short = min(seconds, ABOVE_SECONDS)
    above = replace(batches, connections=ABOVE_CONNECTIONS, seconds=short, rate=2 * capacity)
    loads = {STEADY: steady, ABOVE: above}
    return {name: run_load(load).summary() | {"capacity": capacity} for name, load in loads.items()}


def endure(load: Load, bundle: Path, core: int, seconds: float) -> Figures:
    """64 connections for `seconds`; meanwhile answers are compared with training's probabilities."""
    golden = itertools.cycle(Bundle.load(bundle).click_model.golden)
    answers = Counter[str]()
    with ThreadPoolExecutor(1) as pool, httpx.Client(headers=load.headers, trust_env=False, timeout=30) as client:
        going = pool.submit(closed_loop, replace(load, connections=64, seconds=seconds), core)
        while not going.done():
            expected = next(golden)
            answer = client.post(load.url, json=expected.record)
            if answer.is_success:
                same = abs(answer.json()["probability"] - expected.probability) <= TOLERANCE
                answers["right" if same else "wrong"] += 1
            else:
                answers[str(answer.status_code)] += 1
            time.sleep(CHECK_SECONDS)
    return going.result() | {"checked": dict(answers)}
