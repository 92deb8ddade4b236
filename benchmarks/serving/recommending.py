"""Part of `make bench-serving`: recommendations over HTTP, by a service with one worker on one core.

The model is trained on 2,000 generated films, with both stages. Each request has a history of 100 films. Weights of
100,000 items are random, and asked in this process: their first stage alone, without HTTP. The batch for the films'
users is computed in this process, too.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.results import Target, at_least, at_most, publish
from benchmarks.serving import bodies
from benchmarks.serving.load import Load, run_load
from benchmarks.serving.peers import recommending
from benchmarks.serving.process import apart, free_port, running, wait
from benchmarks.serving.wrk import closed_loop, require_wrk
from features.bundle import Bundle
from personalize.all_users import ANSWERED_TOGETHER, USERS_TOGETHER, Batch, Opened
from recommend import catalogue
from recommend.first_stage import ItemWeights
from recommend.recommender import FOLDER, ITEMS, Recommender
from scoring.model.model import with_kernel
from scoring.responses import ModelName
from training.progress import background

USERS, FILMS, HISTORY, TOP = 6_000, 2_000, 100, 10
REQUESTS = 1_000
"""With different histories."""
SCORES, RECOMMENDATIONS = 1_000.0, 750.0
"""Requests a second of the open loops that run beside each other."""
ONE, MANY = "1 connection", "64 connections"
LOADED = "1 connection, while the catalogue is loaded ten times a minute"
BETWEEN_LOADS = 6.0
"""Seconds."""
MANY_ITEMS = 100_000
IN_PROCESS = "top 10 of 100,000 items, in this process"
BATCH = "users a second of a batch, in this process"
BESIDE, SCORED = "750 a second beside 1,000 of /score", "/score, 1,000 a second beside them"
Points = dict[str, dict[str, Any]]


def main() -> None:
    """Measure, print and write `benchmarks/results/serving-recommend.json`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.recommending", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="seconds of each point")
    parser.add_argument("--bundle", type=Path, help="a bundle of such a run, to train none")
    arguments = parser.parse_args()
    require_wrk()
    with TemporaryDirectory() as folder:
        options = ("films", "--users", str(USERS), "--films", str(FILMS))
        bundle = arguments.bundle or bodies.train(Path(folder), *options)
        points = _measure(bundle, Path(folder), arguments.seconds)
        many, batch = many_items(), users_a_second(bundle)
    own = {IN_PROCESS: many, BATCH: batch}
    print(json.dumps(points | own, indent=1))
    found = [
        *targets(points),
        at_most(f"p99 of the {IN_PROCESS}", 20, many["p99"], "ms"),
        at_least(BATCH, 3_000, batch),
    ]
    print(publish("serving-recommend", {"seconds_a_point": arguments.seconds, "points": points} | own, found))


def _measure(bundle: Path, folder: Path, seconds: float) -> Points:
    peer = recommending(bundle, folder, free_port(), bundle.parent / "snapshots")
    plan = peer.load(_requests(bundle), seconds)
    clients = max(os.sched_getaffinity(0))
    with running(peer) as (process, log):
        wait(plan, log)
        with apart(process):
            closed_loop(replace(plan, connections=16, seconds=3), clients)
            one, many = (closed_loop(replace(plan, connections=count), clients) for count in (1, 64))
            with _loads(bundle.parent / "snapshots" / catalogue.FILE):
                loaded = closed_loop(replace(plan, connections=1), clients)
            return {ONE: one, LOADED: loaded, MANY: many, **_beside(plan, bundle)}


@contextmanager
def _loads(file: Path) -> Iterator[None]:
    """During the block, replace the catalogue every `BETWEEN_LOADS` by one with another item in place of the last."""
    rows, layout = catalogue.read_rows(file)
    numbers = count()

    def load() -> None:
        catalogue.write(file, [*rows[:-1], rows[-1]._replace(key=f"another {next(numbers)}")], layout)

    try:
        load()
        with background(load, seconds=BETWEEN_LOADS):
            yield
    finally:
        catalogue.write(file, rows, layout)


def many_items() -> dict[str, float]:
    """Milliseconds for a history of 100 of `MANY_ITEMS` items with 50 weights each."""
    chance = np.random.default_rng(1)
    others = np.sort(chance.integers(0, MANY_ITEMS // 50, (MANY_ITEMS, 50)) + np.arange(50) * (MANY_ITEMS // 50))
    weights = ItemWeights(
        starts=50 * np.arange(MANY_ITEMS + 1),
        others=others.astype(np.uint32).ravel(),
        weights=chance.normal(size=others.size).astype(np.float32),
    )
    keys = [str(item) for item in range(MANY_ITEMS)]
    recommender = with_kernel(Recommender(items=keys, first_stage=weights))
    nothing, milliseconds = np.empty(0, np.int64), []
    with threadpool_limits(1, user_api="blas"):  # as in the service
        for _ in range(REQUESTS):
            history = chance.choice(MANY_ITEMS, HISTORY, replace=False)
            start = time.perf_counter()
            recommender.recommend(history, TOP, nothing)
            milliseconds.append((time.perf_counter() - start) * 1e3)
    return {"p50": float(np.median(milliseconds)), "p99": float(np.quantile(milliseconds, 0.99))}


def users_a_second(bundle: Path) -> float:
    """How many users a process recommends films to in a second, with the histories that they have."""
    name = ModelName(name="films", version="1")
    opened = Opened(Batch(bundle=bundle, snapshots=bundle.parent / "snapshots", name=name, top=TOP))
    users = opened.histories.active_users()[:USERS_TOGETHER]
    opened.recommended(users[:ANSWERED_TOGETHER])  # reads the films' columns
    start = time.perf_counter()
    opened.recommended(users)
    return len(users) / (time.perf_counter() - start)


def _requests(bundle: Path) -> list[bytes]:
    keys = json.loads((bundle / FOLDER / ITEMS).read_text())["items"]
    chance = np.random.default_rng(1)
    histories = (chance.choice(keys, HISTORY, replace=False).tolist() for _ in range(REQUESTS))
    return [json.dumps({"history": history, "top": TOP}).encode() for history in histories]


def _beside(plan: Load, bundle: Path) -> Points:
    """Open loops of recommendations and of scores at the same time."""
    records = [json.dumps(golden.record).encode() for golden in Bundle.load(bundle).click_model.golden]
    scores = replace(plan, path="/score", bodies=records, connections=64, rate=SCORES)
    with ProcessPoolExecutor(1, get_context("spawn")) as beside:
        scored = beside.submit(run_load, scores)
        recommended = run_load(replace(plan, connections=64, rate=RECOMMENDATIONS))
    return {BESIDE: recommended.summary(), SCORED: scored.result().summary()}


def targets(points: Points) -> list[Target]:
    """What must hold on an idle machine."""
    p99 = {name: float(point["accepted_milliseconds"].get("p99", float("nan"))) for name, point in points.items()}
    slowest = {name: float(points[name]["accepted_milliseconds"]["p99.9"]) for name in (ONE, LOADED)}
    return [
        at_most("p99.9 while the catalogue is loaded, by that without loads", 1.5, slowest[LOADED] / slowest[ONE]),
        at_most("p99 of the top 10 of 2,000 items, one connection", 10, p99[ONE], "ms"),
        at_least("requests a second at 64 connections", 1_500, points[MANY]["accepted_per_second"]),
        at_most("p99 at 64 connections", 80, p99[MANY], "ms"),
        at_most("p99 of 1,000 /score a second beside 750 of /recommend", 10, p99[SCORED], "ms"),
        at_most("requests that failed", 0, sum(point["failed"] for point in points.values())),
    ]


if __name__ == "__main__":
    main()
