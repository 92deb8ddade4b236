"""`make bench-recommend`: the quality of recommendations on MovieLens-100k, by the recommenders project's protocol.

75 % of each item's (or user's) ratings to learn from, all items not seen yet as candidates, NDCG@10. The data comes
from the wheel of RecBole 1.2.1 and stays outside of the working tree: its licence does not let it be redistributed.
Published figures: https://github.com/recommenders-team/recommenders/blob/main/examples/06_benchmarks/movielens.ipynb
"""

import argparse
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.results import Target, at_least, publish
from recommend import splits
from recommend.arrays import Mask
from recommend.baselines import popularity, sar
from recommend.ease import FITTED_SHARE, best_regularisation, item_weights, ranker
from recommend.interactions import Interactions
from recommend.metrics import Ranker, Ranking, evaluate
from recommend.weights import ItemWeights
from tools.setup.uv import ensure_uv
from training.runtime import cache_folder

WHEEL = "recbole==1.2.1 --hash=sha256:9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407\n"
RATINGS = "recbole/dataset_example/ml-100k/ml-100k.inter"
SEEDS = range(42, 47)
HALF_A_DIGIT = 0.00005
"""Golden figures hold to the fourth digit."""
Split = Callable[[Interactions, int], Mask]
SPLITS: dict[str, Split] = {
    "by item": splits.by_item,
    "by user": splits.by_user,
    "by time": lambda ratings, _seed: splits.by_time(ratings),
}
Figures = dict[str, dict[str, float]]


def main() -> None:
    """Measure, print, and write `benchmarks/results/recommend.json`."""
    argparse.ArgumentParser(prog="python -m benchmarks.recommend", description=__doc__).parse_args()
    ratings = movielens()
    figures: dict[str, Any] = {}
    for name, split in SPLITS.items():
        runs = [measured(ratings, split, seed) for seed in (SEEDS if name != "by time" else [SEEDS[0]])]
        figures[name] = {"seed_42": runs[0], "mean": _means(runs)}
    print(publish("recommend", figures, [*targets(figures)]))


def movielens() -> Interactions:
    """The 100,000 ratings, in the order of their file. Users and items are numbered by ID, which decides ties."""
    folder = cache_folder() / "recbole"
    if not (folder / RATINGS).exists():
        with NamedTemporaryFile("w", suffix=".txt") as wanted:
            wanted.write(WHEEL)
            wanted.flush()
            command = [str(ensure_uv()), "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
            subprocess.run([*command, "--target", str(folder), "--requirements", wanted.name], check=True)
    return _read(folder / RATINGS)


def _read(file: Path) -> Interactions:
    rows = pd.read_csv(file, sep="\t", names=["user", "item", "rating", "time"], header=0)
    users, items = (pd.factorize(rows[name], sort=True)[0].astype(np.int64) for name in ("user", "item"))
    return Interactions(
        users=users,
        items=items,
        values=rows["rating"].to_numpy(np.float64),
        times=rows["time"].to_numpy(np.float64),
        user_count=int(users.max()) + 1,
        item_count=int(items.max()) + 1,
    )


def measured(ratings: Interactions, split: Split, seed: int) -> Figures:
    """Each ranker's metrics under one split. EASE has cut weights, and chooses its lambda within the training rows."""
    mask = split(ratings, seed)
    training, seen, test = ratings.only(mask), ratings.only(mask).matrix(), ratings.only(~mask).matrix()
    fitted = splits.by_user(training, seed, FITTED_SHARE)
    chosen = best_regularisation(training, fitted)
    ease = ranker(ItemWeights.cut(item_weights(seen, chosen)), seen)
    rankers: dict[str, Ranker] = {"popularity": popularity(training), "SAR": sar(training), "EASE": ease}
    return {name: _figures(evaluate(one, seen, test)) for name, one in rankers.items()} | {"lambda": {"chosen": chosen}}


def _figures(ranking: Ranking) -> dict[str, float]:
    return {
        "ndcg": ranking.ndcg,
        "precision": ranking.precision,
        "recall": ranking.recall,
        "coverage": ranking.coverage,
    }


def _means(runs: list[Figures]) -> Figures:
    return {
        ranker: {metric: mean(run[ranker][metric] for run in runs) for metric in metrics}
        for ranker, metrics in runs[0].items()
    }


def targets(figures: dict[str, Any]) -> Iterator[Target]:
    """The golden figures and what the candidates must reach."""
    for split, name, ndcg, of in (
        ("by item", "SAR", 0.3938, "seed_42"),
        ("by user", "SAR", 0.3795, "seed_42"),
        ("by item", "popularity", 0.2517, "mean"),
    ):
        found = figures[split][of][name]["ndcg"]
        title = f"{name} {split}: NDCG@10, as known from elsewhere"
        holds = abs(found - ndcg) <= HALF_A_DIGIT
        yield Target(name=title, target=f"= {ndcg} to the fourth digit", measured=found, holds=holds)
    for split in ("by item", "by user"):
        found = figures[split]["mean"]["EASE"]["ndcg"]
        yield at_least(f"EASE {split}: NDCG@10, mean of five seeds", 0.470, found)


if __name__ == "__main__":
    main()
