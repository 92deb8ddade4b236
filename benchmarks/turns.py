"""`python -m benchmarks.turns`: how long the event loop of a worker stands still for requests to recommend.

Random requests within the documented limits, on 100,000 items with random factors, a second stage and a catalogue, in
this process. The sizes are drawn uniformly by their logarithm, each in one of eight requests is the largest, and
eight requests or more always wait.
"""

import argparse
import asyncio
import gc
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.results import at_most, publish
from features.encoder import Counts, PooledCounts, derive_encoder
from features.schema import Schema
from recommend import catalogue
from recommend.catalogue import Catalogue, ItemRow, Layout, NewItems, State
from recommend.columns import PairColumns
from recommend.first_stage import DIMENSIONS, ItemFactors
from recommend.ranking import CandidateRanking, FirstStageInputs
from recommend.recommender import Recommender
from scoring.http.batcher import Batcher
from scoring.http.connection import Connection
from scoring.http.request import Request
from scoring.model.model import open_ranking, with_kernel
from scoring.model.operations import OPERATIONS
from scoring.model.recommend_request import (
    MOST_CHOSEN,
    MOST_EXCLUDED,
    MOST_FILTERED_COLUMNS,
    MOST_RECOMMENDED,
    MOST_SHARED_COLUMNS,
    MOST_SHOWN_COLUMNS,
    MOST_VALUES,
    RecommendRequest,
)
from scoring.model.recommending import RecommendQuery, recommend_to_each
from scoring.model.stored import Lookups
from scoring.responses import ModelName
from scoring.worker.service import Service
from training.model.native import lightgbm

ITEMS, NEW, COLUMNS, TREES = 100_000, 2_000, 20, 100
REQUESTS, WAITING = 20_000, 16
LONGEST_MS = 100
LARGEST = 1 / 8
"""The share of sizes that are the largest."""
NAMES = [f"column {number}" for number in range(COLUMNS)]
VALUES = [int(10 ** (1 + number % 4)) for number in range(COLUMNS)]
"""How many values a column has."""


def main() -> None:
    """Measure, print and write `benchmarks/results/turns.json`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.turns", description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS, help="how many requests")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder, threadpool_limits(1, user_api="blas"):  # as in the service
        seconds, statuses = asyncio.run(turns(service(Path(folder)), arguments.requests))
    milliseconds = np.array(seconds) * 1e3
    figures = {
        "requests": arguments.requests,
        "statuses": statuses,
        "turns": len(seconds),
        "milliseconds": {name: float(np.quantile(milliseconds, at)) for name, at in (("p50", 0.5), ("p99", 0.99))}
        | {"longest": float(milliseconds.max())},
    }
    target = at_most("longest turn of the event loop", LONGEST_MS, figures["milliseconds"]["longest"], "ms")
    print(figures)
    print(publish("turns", figures, [target]))


def service(folder: Path) -> Service:
    """The part of a service that a batcher uses."""
    chance = np.random.default_rng(1)
    keys = [f"item {number}" for number in range(ITEMS + NEW)]
    texts = [[f"value {value}" for value in chance.integers(0, most, len(keys))] for most in VALUES]
    rows = (
        ItemRow(key, dict(zip(NAMES, values, strict=True)), State.TRAINED)
        for key, *values in zip(keys, *texts, strict=True)
    )
    catalogue.write(folder / "catalogue", rows, Layout(item_column="item", separators=dict.fromkeys(NAMES, "")))
    recommender = _recommender(folder, keys[:ITEMS], {NAMES[0]: texts[0][:ITEMS], NAMES[1]: texts[1][:ITEMS]})
    opened = Catalogue(folder / "catalogue", recommender.items)
    lookups = Lookups(catalogue=opened, new=NewItems.of(opened, None, NAMES[:4]))
    settings = SimpleNamespace(max_queue=1000, queue_seconds=3600.0, deadline_seconds=3600.0)
    model = SimpleNamespace(recommender=recommender, clicks=None, name=ModelName(name="turns", version="1"))

    def rejection_of(error: Exception, _: bytes) -> Exception:
        return error

    found = SimpleNamespace(
        settings=settings,
        model=model,
        lookups=lookups,
        rejection_of=rejection_of,
        metrics=SimpleNamespace(scored=lambda _: None, fell_back=lambda _: None),
    )
    return cast("Service", found)


def _recommender(folder: Path, keys: list[str], columns: Mapping[str, list[str]]) -> Recommender:
    """Random factors, and trees that read the items' columns and the user's age."""
    chance = np.random.default_rng(2)
    factors = chance.normal(size=(len(keys), DIMENSIONS)).astype(np.float32)
    pairs = PairColumns(schema=Schema(numeric=("age",), categorical=tuple(columns)), items=columns)
    first_stage = FirstStageInputs(choices=np.arange(len(keys), 0, -1), columns=pairs)
    inputs = chance.normal(size=(5_000, len(first_stage.names) + len(pairs.schema.encoded_features)))
    settings = {"objective": "binary", "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(inputs, inputs.sum(axis=1) > 0), TREES)
    none = np.empty(0, np.int64)
    counts = PooledCounts(
        kept=Counts(column=np.empty(0, np.int16), hash=none, rows=none, clicks=none),
        rare_rows=np.zeros(len(columns), np.int64),
        rare_clicks=np.zeros(len(columns), np.int64),
    )
    ranking = CandidateRanking(
        weight=1.0,
        first_stage=first_stage,
        encoder=derive_encoder(counts, columns=pairs.schema.categories, smoothing=1),
        model=booster.model_to_string(),
        predict=booster.predict,
    )
    recommender = Recommender(items=keys, first_stage=ItemFactors.rounded(factors, 1.0), ranking=ranking)
    recommender.save(folder / "recommend", seed=1)
    return with_kernel(Recommender.load(folder / "recommend", open_ranking))


class _Client:
    """Takes the answers."""

    def answered(self) -> None:
        """Nothing is sent."""


def _warm(found: Service) -> None:
    """Do what the golden requests do before a service is ready: some tables are made once."""
    query = RecommendQuery(RecommendRequest(history=["item 1"], at_most=dict.fromkeys(NAMES, 1.0), new=1))
    recommend_to_each([query], found.model, found.lookups)
    gc.collect()
    gc.freeze()  # as a worker does


async def turns(found: Service, requests: int) -> tuple[list[float], dict[str, int]]:
    """The seconds of each turn, and how many requests got which status."""
    batcher, chance = Batcher(found, lambda *_: None), np.random.default_rng(3)
    asked: list[Request] = []
    seconds: list[float] = []
    statuses: dict[str, int] = {}
    _warm(found)
    work = batcher._work  # noqa: SLF001 - a turn

    def timed() -> None:
        began = time.thread_time()  # as on a core of its own, whatever else the machine does
        work()
        seconds.append(time.thread_time() - began)

    batcher._work = timed  # type: ignore[method-assign] # noqa: SLF001 - the same
    for body in (random_body(chance) for _ in range(requests)):
        request = Request(cast("Connection", _Client()), b"POST", b"/recommend", {}, b"id")
        request.operation = OPERATIONS["/recommend"]
        request.body, request.size, request.arrived = body, len(body), time.perf_counter()
        asked.append(request)
        batcher.submit(request)
        while len(asked) >= WAITING:
            await asyncio.sleep(0)
            for one in asked:
                if one.answer is not None:
                    statuses[str(one.answer.status)] = statuses.get(str(one.answer.status), 0) + 1
            asked = [one for one in asked if one.answer is None]
    while any(one.answer is None for one in asked):  # noqa: ASYNC110 - an answer is no event
        await asyncio.sleep(0)
    return seconds, statuses


def random_body(chance: np.random.Generator) -> bytes:
    """A request with some of all fields."""

    def size(most: int) -> int:
        return most if chance.random() < LARGEST else int(np.exp(chance.uniform(0, np.log(most))))

    def keys(most: int) -> list[str]:
        return [f"item {number}" for number in chance.integers(0, ITEMS + NEW, size(most))]

    def columns(most: int) -> list[str]:
        return [str(name) for name in chance.permutation(NAMES)[: size(most)]]

    body: dict[str, Any] = {"history": keys(MOST_CHOSEN)}
    chosen = columns(MOST_FILTERED_COLUMNS)
    fields: dict[str, Any] = {
        "top": size(MOST_RECOMMENDED),
        "exclude": keys(MOST_EXCLUDED),
        "show": columns(MOST_SHOWN_COLUMNS),
        "context": {"age": float(chance.integers(100))},
        "filter": {
            name: [f"value {value}" for value in range(max(1, size(MOST_VALUES) // len(chosen)))] for name in chosen
        },
        "at_most": {name: size(MOST_RECOMMENDED) for name in columns(MOST_SHARED_COLUMNS)},
        "new": size(100),
        "seen": bool(chance.integers(2)),
        "details": bool(chance.integers(2)),
    }
    body |= {name: value for name, value in fields.items() if chance.integers(2)}
    return msgspec.json.encode(body)


if __name__ == "__main__":
    main()
