"""`make bench-scale`: recommendations from a million choices of 10,000 items to 20 million of 200,000; by hand, 100
million of a million.

Choices are generated, so the best order is known: items have Zipf's popularity and belong to groups, and each user
likes four groups. A quarter of the choices is by popularity alone. Each size runs in a process of its own.
"""

import argparse
import json
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from threadpoolctl import threadpool_limits

from benchmarks.results import Target, at_least, at_most, publish
from recommend.arrays import Indices, Scores
from recommend.histories import FILE as HISTORIES
from recommend.histories import Histories
from recommend.judgement import BEST, POPULARITY, RECOMMENDER, Judgement, fit, judge
from recommend.recommender import Recommender
from scoring.model.model import open_ranking, with_kernel
from training.catalogue import write_snapshots
from training.parameters import TrainingParameters
from training.recommending import RankingFit
from training.tables.files import load_spec
from training.tables.interactions import read_chosen

LIKED, BY_TASTE = 4, 0.75
"""The groups that a user likes, and the share of the choices that are of these."""
SEED, DAYS, DAY = 7, 100, 86_400
FIRST_DAY = np.datetime64("2026-01-01")
REQUESTS, TOP = 2_000, 10
CONFIG = """
interactions: {path: choices}
users: {key: user_id}
items: {path: items.csv, key: item_id}
label: positives
categorical: [group]
timestamp: time
"""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Size:
    """Generated choices: so many before those that repeat are left out, and of at most so many users and items."""

    choices: int
    users: int
    items: int


SIZES = {
    "1M": Size(choices=1_400_000, users=25_000, items=10_000),
    "4M": Size(choices=5_400_000, users=100_000, items=50_000),
    "20M": Size(choices=27_000_000, users=500_000, items=200_000),
    "100M": Size(choices=135_000_000, users=2_000_000, items=1_000_000),
}
BY_HAND = "100M"


def main() -> None:
    """Measure, print a line for each size, and write `benchmarks/results/scale.json`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument(
        "sizes", nargs="*", metavar="SIZE", help=f"of {', '.join(SIZES)}; all but {BY_HAND} unless named"
    )
    sizes = parser.parse_args().sizes or [name for name in SIZES if name != BY_HAND]
    if unknown := [name for name in sizes if name not in SIZES]:
        parser.error(f"there is no size {unknown[0]}; the sizes are {', '.join(SIZES)}")
    figures = {}
    for name in sizes:
        with ProcessPoolExecutor(1, get_context("spawn")) as alone:
            figures[name] = alone.submit(measured, SIZES[name]).result()
        print(f"{name}: {json.dumps(figures[name])}", flush=True)
    print(publish("scale", figures, targets(figures)))


def measured(size: Size) -> dict[str, Any]:
    """What each stage takes, how good the recommendations are, and how many a second one core makes."""
    with TemporaryDirectory() as folder:
        tastes = Tastes.of(size)
        tastes.write(Path(folder), size)
        return _run(tastes, Path(folder))


@dataclass(frozen=True, kw_only=True)
class Tastes:
    """What decides who chooses what: each item's group, int64[m], and popularity, float64[m], and the groups that each
    user likes, int64[u, 4].
    """

    groups: Indices
    popularity: Floats
    liked: Indices

    @classmethod
    def of(cls, size: Size) -> "Tastes":
        """The tastes of a size, always the same."""
        chance, groups = np.random.default_rng(SEED), max(20, size.items // 150)
        return cls(
            groups=chance.integers(0, groups, size.items),
            popularity=np.arange(1, size.items + 1) ** -0.9,
            liked=chance.integers(0, groups, (size.users, LIKED)),
        )

    def best(self, users: Indices, items: Indices) -> Scores:
        """The chance that each of the users, int64[u], chooses each of the items, int64[m]: float32[u, m]."""
        within = self.popularity / np.bincount(self.groups, self.popularity)[self.groups]
        everybody = (1 - BY_TASTE) * self.popularity / self.popularity.sum()
        groups, taste = self.groups[items], (BY_TASTE / LIKED * within[items]).astype(np.float32)
        scores = np.empty((len(users), len(items)), np.float32)
        for user, liked in enumerate(self.liked[users]):
            times = np.bincount(liked, minlength=self.groups.max() + 1).astype(np.float32)
            scores[user] = everybody[items] + times[groups] * taste
        return scores

    def write(self, folder: Path, size: Size) -> None:
        """Write the tables and their config: choices by day, most of few users, and each pair once."""
        chance = np.random.default_rng(SEED + 1)
        activity = chance.lognormal(0, 1.1, size.users)
        of_each = np.maximum(5, (activity / activity.sum() * size.choices).astype(np.int64))
        users = np.repeat(np.arange(size.users), of_each)
        items = _drawn(chance, np.cumsum(self.popularity), np.zeros(len(users)), self.popularity.sum())
        by_taste = np.flatnonzero(chance.random(len(users)) < BY_TASTE)
        order = np.argsort(self.groups, kind="stable")
        ends = np.cumsum(self.popularity[order])
        of_group = np.bincount(self.groups, self.popularity)
        group = self.liked[users[by_taste], chance.integers(0, LIKED, len(by_taste))]
        found = _drawn(chance, ends, (np.cumsum(of_group) - of_group)[group], of_group[group])
        items[by_taste] = order[found]
        users, items = np.divmod(np.unique(users * size.items + items), size.items)
        seconds = chance.integers(0, DAYS * DAY, len(users))
        for day, rows in enumerate(np.split(np.argsort(seconds, kind="stable"), _ends(seconds))):
            (own := folder / f"choices/day={FIRST_DAY + day}").mkdir(parents=True)
            times = FIRST_DAY.astype("datetime64[s]") + seconds[rows]
            table = {"user_id": _texts(users[rows]), "item_id": _texts(items[rows]), "time": pa.array(times)}
            pyarrow.parquet.write_table(pa.table(table), own / "part-0.parquet")
        titles = [f"Item {item}" for item in range(size.items)]
        of_items = {"item_id": _texts(np.arange(size.items)), "title": titles, "group": _texts(self.groups)}
        pyarrow.csv.write_csv(pa.table(of_items), folder / "items.csv")
        (folder / "dataset.yaml").write_text(CONFIG)


def _drawn(chance: np.random.Generator, ends: Floats, first: Floats, width: Floats | float) -> Indices:
    """Places among `ends`, which ascend, each drawn between `first` and `first + width`, float64[n]."""
    found = np.searchsorted(ends, first + chance.random(len(first)) * width, side="right")
    return np.minimum(found, len(ends) - 1)


def _ends(seconds: Indices) -> Indices:
    return np.cumsum(np.bincount(seconds // DAY, minlength=DAYS))[:-1]


def _texts(numbers: Indices) -> pa.StringArray:
    return pa.array(numbers).cast(pa.string())


def _run(tastes: Tastes, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    parameters = TrainingParameters()
    spec = load_spec(folder / "dataset.yaml")
    with _timed(found, "read"):
        chosen = read_chosen(spec)
        choices = replace(chosen.choices, listed=chosen.listed)
    users, items = (np.array(keys, dtype=np.int64) for keys in (chosen.users, chosen.items))
    second_stage = RankingFit.of(spec, chosen, parameters)
    with _timed(found, "judge"):
        judged = judge(choices, parameters.seed, second_stage, truth=lambda asked: tastes.best(users[asked], items))
    with _timed(found, "learn"):
        recommender = fit(choices, chosen.items, judged, second_stage)
    with _timed(found, "write"):
        write_snapshots(folder / "snapshots", spec, chosen)
        recommender.save(folder / "recommender", parameters.seed)
    found |= {"rows": len(choices), "users": len(users), "items": len(items)}
    found["peak_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2)
    return found | _quality(judged) | _served(folder, chosen.users)


@contextmanager
def _timed(found: dict[str, Any], name: str) -> Iterator[None]:
    """Add seconds and processor seconds of the block to `found`."""
    began, processor = time.monotonic(), _processor()
    yield
    found[name] = {"seconds": round(time.monotonic() - began), "processor": round(_processor() - processor)}


def _processor() -> float:
    """Processor seconds of this process and of those that it has ended."""
    of = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in of)


def _quality(judged: Judgement) -> dict[str, Any]:
    ours, popular, best = (judged.figures[name] for name in (RECOMMENDER, POPULARITY, BEST))
    ndcg = {name: round(one.ndcg, 4) for name, one in judged.figures.items()}
    return {
        "accepted": judged.accepted,
        "ndcg": ndcg,
        "of_the_way": round((ours.ndcg - popular.ndcg) / (best.ndcg - popular.ndcg), 3),
        "coverage": round(ours.coverage / best.coverage, 3),
    }


def _served(folder: Path, keys: list[str]) -> dict[str, Any]:
    """Recommendations to users with their histories, in this process and on one core."""
    recommender = with_kernel(Recommender.load(folder / "recommender", open_ranking))
    histories = Histories(folder / "snapshots" / HISTORIES, recommender.items)
    asked = np.random.default_rng(SEED).choice(len(keys), REQUESTS, replace=False)
    seconds = []
    with threadpool_limits(1, user_api="blas"):  # as in the service
        for user in asked:
            start = time.perf_counter()
            if stored := histories.find(keys[user]):
                recommender.recommend(stored.chosen, TOP, stored.chosen)
            seconds.append(time.perf_counter() - start)
    return {
        "recommendations_a_second": round(len(seconds) / sum(seconds)),
        "p99_ms": round(float(np.quantile(seconds, 0.99)) * 1e3, 2),
    }


def targets(figures: dict[str, dict[str, Any]]) -> list[Target]:
    """What must hold on two cores."""
    found = []
    for name, minutes, memory in (("4M", 10, 8), ("20M", 60, 8)):
        if one := figures.get(name):
            processor = sum(one[stage]["processor"] for stage in ("read", "judge", "learn", "write"))
            found += [
                at_most(f"{name}: processor minutes", minutes, processor / 60),
                at_most(f"{name}: peak memory", memory, one["peak_gb"], "GB"),
                at_least(f"{name}: the way from popularity's NDCG@10 to the best", 0.55, one["of_the_way"]),
                at_least(f"{name}: coverage by that of the best", 0.6, one["coverage"]),
            ]
    return found


if __name__ == "__main__":
    main()
