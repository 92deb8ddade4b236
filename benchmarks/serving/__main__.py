"""`make bench-serving`: compares the scoring service with common alternatives, in one run on this machine.

All servers have a model of the default settings and get the same records, no two consecutive ones alike. Each has one
worker on one core, and its clients another; servers with Java get all cores, because Java starts its own threads.
"""

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.results import publish
from benchmarks.serving import bodies
from benchmarks.serving.bodies import ALL_NEW, AS_IT_COMES, HEAVY_TAIL, Mix, together
from benchmarks.serving.load import Load
from benchmarks.serving.loops import endure, open_loops
from benchmarks.serving.peers import Peer, install_all, peers
from benchmarks.serving.process import apart, core_seconds, event_loop, free_port, memory, running, wait
from benchmarks.serving.targets import BATCH, BATCHES, CONNECTIONS, MOST, OURS, RANKED, SPARK, Figures, targets
from benchmarks.serving.wrk import closed_loop, require_wrk
from features.bundle import Bundle

WARM_UP_SECONDS = 3.0
RANKINGS = 15
"""Ranking requests, each with another thousand items."""


def main() -> None:
    """Measure, print and write `benchmarks/results/serving.json`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving")
    parser.add_argument("--seconds", type=float, default=10.0, help="seconds of each point")
    parser.add_argument("--open-loop-seconds", type=float, default=300.0, help="seconds of the open loop at 70 %%")
    parser.add_argument(
        "--endurance-seconds", type=float, default=600.0, help="seconds of Spark Serving at 64 connections"
    )
    parser.add_argument("--only", help="only servers whose name contains this; writes no results")
    arguments = parser.parse_args()
    require_wrk()
    install_all()
    with TemporaryDirectory() as folder:
        bundle = bodies.train(Path(folder))
        mixes = bodies.mixes(Bundle.load(bundle))
        figures = {}
        for peer in peers(bundle, Path(folder), free_port()):
            if (arguments.only or "") in peer.name:
                print(f"measuring {peer.name}", flush=True)
                figures[peer.name] = _measure(peer, bundle, mixes, arguments)
                print(json.dumps(figures[peer.name], indent=1), flush=True)
    if arguments.only is None:
        content = {"seconds_a_point": arguments.seconds, "servers": figures}
        print(publish("serving", content, targets(figures)))


def _measure(peer: Peer, bundle: Path, mixes: dict[str, Mix], arguments: argparse.Namespace) -> Figures:
    plans = _plans(peer, mixes, arguments.seconds)
    points: Figures = {}
    found: Figures = {"points": points}
    plan = plans[MOST]
    with running(peer) as (process, log):
        found["start_seconds"] = round(wait(plan, log), 2)
        clients = max(os.sched_getaffinity(0))
        worker = event_loop(process)

        def measure() -> None:
            closed_loop(replace(plan, connections=16, seconds=WARM_UP_SECONDS), clients)
            for name, one in plans.items():
                before = core_seconds(worker)
                points[name] = closed_loop(one, clients)
                spent = core_seconds(worker) - before
                points[name]["core_microseconds"] = round(1e6 * spent / max(points[name]["requests"], 1), 2)
            found["memory_mib"] = memory(process)

        if peer.java:
            measure()
        else:
            with apart(process):
                measure()
                if peer.name == OURS:
                    points |= open_loops(plans[BATCHES], points, arguments.open_loop_seconds)
                    found["memory_mib"] = memory(process)
        if peer.name == SPARK:
            points["endurance"] = endure(plan, bundle, clients, arguments.endurance_seconds)
            found["memory_mib_after_endurance"] = memory(process)
    return found


def _plans(peer: Peer, mixes: dict[str, Mix], seconds: float) -> dict[str, Load]:
    """The closed loops, by the names of their points."""
    plain = peer.load((), seconds)
    singles = {name: _bodies(peer.body, mix, 1) for name, mix in mixes.items()}
    plans = {
        f"single, {count} connections": replace(plain, bodies=singles[AS_IT_COMES], connections=count)
        for count in CONNECTIONS
    }
    for name in (HEAVY_TAIL, ALL_NEW):
        plans[f"{name}, 64 connections"] = replace(plain, bodies=singles[name], connections=64)
    batches = _bodies(peer.body, mixes[AS_IT_COMES], BATCH)
    plans[BATCHES] = replace(plain, bodies=batches, connections=4)
    if peer.name == OURS:
        lists = together(mixes[AS_IT_COMES].records, RANKED)[:RANKINGS]
        rankings = [_json({"user": {}, "items": items}) for items in lists]
        plans[f"rank {RANKED} items"] = replace(plain, path="/rank", bodies=rankings, connections=1)
    return plans


def _bodies(body: Callable[[list[Any], list[list[float]]], object], mix: Mix, size: int) -> list[bytes]:
    pairs = zip(together(mix.records, size), together(mix.rows(), size), strict=True)
    return [_json(body(records, rows)) for records, rows in pairs]


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


if __name__ == "__main__":
    main()
