"""Part of `make bench-serving`: recommendations for ten million stored users, by a service with one worker on one core.

The users are made up and go to the disk as they are drawn, 5 GB. None of their pages is in memory at the start, and no
user is asked for twice. The model is trained on 2,000 generated films, with both stages.
"""

import argparse
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np

from benchmarks.results import Target, at_most, publish
from benchmarks.serving import bodies
from benchmarks.serving.load import Load, run_load
from benchmarks.serving.peers import Peer, recommending
from benchmarks.serving.process import apart, event_loop, free_port, own_memory, running, wait
from benchmarks.serving.recommending import FILMS, TOP, USERS
from recommend import catalogue, histories
from recommend.histories import PACKED, UserRow
from recommend.recommender import FOLDER, ITEMS

STORED = 10_000_000
MOST_ITEMS = 100
"""The most items that a user chose, and that they only saw: half as many on average."""
USERS_TOGETHER = 10_000
"""Users that are drawn in one call."""
RATE = 100.0
"""Requests a second, at random times."""
MOST_MILLISECONDS, MOST_MEBIBYTES = 50.0, 300.0


def main() -> None:
    """Measure, print and write `benchmarks/results/stored-users.json`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.stored_users", description=__doc__)
    parser.add_argument("--users", type=int, default=STORED, help="users to store")
    parser.add_argument("--seconds", type=float, default=60.0, help="seconds of requests")
    parser.add_argument("--bundle", type=Path, help="a bundle of such a run, to train none")
    arguments = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        bundle = arguments.bundle or bodies.train(folder, "films", "--users", str(USERS), "--films", str(FILMS))
        snapshots = folder / "many"
        file = write_users(snapshots, bundle, arguments.users)
        shutil.copyfile(bundle.parent / "snapshots" / catalogue.FILE, snapshots / catalogue.FILE)
        peer = recommending(bundle, folder, free_port(), snapshots)
        figures = {"users": arguments.users, "gigabytes": file.stat().st_size / 1e9}
        figures |= measured(peer, file, arguments.users, arguments.seconds)
    print(json.dumps(figures, indent=1))
    print(publish("stored-users", figures, targets(figures)))


def write_users(folder: Path, bundle: Path, users: int) -> Path:
    """The snapshot of so many users, with the items of a bundle's recommender."""
    items = json.loads((bundle / FOLDER / ITEMS).read_text())["items"]
    file = folder / histories.FILE
    histories.write(file, items, _drawn(users, len(items)), "user_id")
    return file


def _drawn(users: int, items: int) -> Iterator[UserRow]:
    chance = np.random.default_rng(1)
    for first in range(0, users, USERS_TOGETHER):
        count = min(USERS_TOGETHER, users - first)
        ends = np.cumsum(chance.integers(1, MOST_ITEMS, count, endpoint=True)) * PACKED.itemsize
        packed = chance.integers(0, items, ends[-1] // PACKED.itemsize).astype(PACKED).tobytes()
        parts = [packed[start:end] for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)]
        ages = chance.integers(18, 80, count).tolist()
        for place, age in enumerate(ages):
            columns = {"age": str(age), "country": "FR", "favourite_genre": "Drama"}
            yield UserRow(key(first + place), parts[place], columns)


def key(user: int) -> str:
    """The ID of a user by number; IDs are in the order of the numbers."""
    return f"u{user:08}"


def measured(peer: Peer, file: Path, users: int, seconds: float) -> dict[str, Any]:
    """The latencies of answers for other users each time, and the memory of the worker before and after them."""
    asked = np.random.default_rng(2).choice(users, int(2 * RATE * seconds), replace=False).tolist()
    requests = [json.dumps({"user": key(user), "top": TOP}).encode() for user in asked]
    plan = replace(peer.load(requests, seconds), rate=RATE)
    with running(peer) as (process, log):
        wait(plan, log)
        worker = event_loop(process)
        _require_known(plan)
        before = own_memory(worker)
        _forget_pages(file)
        with apart(process):
            answers = run_load(plan).summary()
        return {"answers": answers, "own_mebibytes": {"before": before, "after": own_memory(worker)}}


def _require_known(plan: Load) -> None:
    """Exit with an error message if the service does not find a user, whose answer would not show what this costs."""
    headers = {"content-type": "application/json", **plan.headers}
    answer = httpx.post(plan.url, content=plan.bodies[0], headers=headers, trust_env=False).json()
    if answer["fallback"]:
        raise SystemExit(f"{plan.url} answered for a stored user with a fallback: {', '.join(answer['fallback'])}")


def _forget_pages(file: Path) -> None:
    """Let the system read the file from the disk again."""
    with file.open("rb") as stream:
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def targets(figures: dict[str, Any]) -> list[Target]:
    """What must hold on an idle machine."""
    answers, users = figures["answers"], f"{figures['users']:,} users"
    return [
        at_most(f"slowest answer for one of {users}", MOST_MILLISECONDS, answers["accepted_milliseconds"]["max"], "ms"),
        at_most(f"own memory of a worker with {users}", MOST_MEBIBYTES, figures["own_mebibytes"]["after"], "MiB"),
        at_most("requests for stored users that failed", 0, answers["failed"]),
    ]


if __name__ == "__main__":
    main()
