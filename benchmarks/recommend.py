"""`make bench-recommend`: the quality of recommendations on MovieLens-100k, by the recommenders project's protocol, and
on generated films, where the best order is known; and the order of new items on both.

75 % of each item's (or user's) ratings to learn from, all items not seen yet as candidates, NDCG@10.
Published figures: https://github.com/recommenders-team/recommenders/blob/main/examples/06_benchmarks/movielens.ipynb
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from statistics import mean
from typing import Any, cast

import msgspec
import numpy as np

from benchmarks import movielens, new_items
from benchmarks.choosing import choose
from benchmarks.results import Target, at_least, at_most, publish
from recommend import splits
from recommend.arrays import Mask
from recommend.columns import PairColumns
from recommend.interactions import Interactions
from recommend.judgement import BEST, FIRST_STAGE, POPULARITY, RECOMMENDER, judge
from recommend.learning import FITTED_SHARE, Ease
from recommend.metrics import Ranker, Ranking, evaluate, popularity, sar
from training.config import TablesSpec
from training.datasets.generated import film_files
from training.evaluation.reachable import best_order
from training.parameters import FilmsDataset, TrainingParameters
from training.recommending import RankingFit, pair_columns
from training.tables.interactions import Chosen, read_chosen

LIKED = 4
"""The lowest rating that counts where only likes do."""
SEEDS = range(42, 47)
HALF_A_DIGIT = 0.00005
"""Golden figures hold to the fourth digit."""
Split = Callable[[Interactions, int, float], Mask]


SPLITS: dict[str, tuple[Split, Split, int]] = {
    "by item": (splits.by_item, splits.by_user, 0),
    "by user": (splits.by_user, splits.by_user, 0),
    "by time": (splits.by_time, splits.by_time, 0),
    "likes by user": (splits.by_user, splits.by_user, LIKED),
}
"""How training rows are chosen, how a part of them to fit first stages that the others choose between, and the lowest
rating to learn from and judge by."""
EASE, BOTH = "EASE", "both stages on EASE"
Figures = dict[str, dict[str, float]]


def main() -> None:
    """Measure, print, and write `benchmarks/results/recommend.json`."""
    argparse.ArgumentParser(prog="python -m benchmarks.recommend", description=__doc__).parse_args()
    ratings, columns = movielens.ratings(), movielens.columns()
    figures: dict[str, Any] = {name: _five(name, partial(measured, ratings, name, columns=columns)) for name in SPLITS}
    figures["films"] = _five("films", measured_on_films)
    new = {
        "MovieLens-100k": _five("new items", partial(new_items.measured, ratings, columns[0])),
        "films": _five("new films", new_on_films),
    }
    found = [*targets(figures), *targets_of_films(figures["films"]["mean"])]
    found += [target for name, one in new.items() for target in new_items.targets(name, one["mean"])]
    print(publish("recommend", figures | {"new items": new}, found))


def _five(name: str, measure: Callable[[int], Figures]) -> dict[str, Figures]:
    """What `measure` returns for the first seed, and the means over all."""
    runs = [_shown(name, seed, measure(seed)) for seed in SEEDS]
    return {"seed_42": runs[0], "mean": _means(runs)}


def _shown(name: str, seed: int, run: Figures) -> Figures:
    """The figures of a run, which are printed."""
    ndcg = ", ".join(f"{ranker} {one['ndcg']:.4f}" for ranker, one in run.items() if "ndcg" in one)
    print(f"{name}, seed {seed}: {ndcg}", flush=True)
    return run


def measured(ratings: Interactions, name: str, seed: int, *, columns: movielens.Columns) -> Figures:
    """Each ranker's metrics under one of the `SPLITS`: the first stage alone and with a second one.

    The weights are cut, and their setting is chosen within the training rows. Of random splits
    only SAR knows the times, since what is held out is not later.
    """
    split, validation, lowest = SPLITS[name]
    mask = split(ratings, seed, splits.TRAINING_SHARE)
    liked = ratings.values >= lowest
    training = ratings.only(mask & liked)
    seen, test = training.matrix(), ratings.only(~mask & liked).matrix()
    fitted = validation(training, seed, FITTED_SHARE)
    by_time = split is splits.by_time
    rows = training if by_time else replace(training, times=None)
    held_out = [~split(rows, seed, splits.TRAINING_SHARE)] if by_time else splits.folds(rows, moment=False)
    setting = choose(Ease(), training, fitted).setting
    rankers: dict[str, Ranker] = {"popularity": popularity(training), "SAR": sar(training)}
    fit = RankingFit(columns=columns[0], users=columns[1], parameters=TrainingParameters(seed=seed))
    alone = Ease().ranker(training, setting)
    learned = partial(Ease().ranker, setting=setting)
    ranking = fit.fit(rows, held_out, learned, np.arange(ratings.item_count))
    both = alone if ranking is None else fit.ranker(ranking, alone, rows, seen)
    rankers |= {EASE: alone, BOTH: both}
    selected = {**setting._asdict(), "weight": 0.0 if ranking is None else ranking.weight}
    return {one: _figures(evaluate(ranks, seen, test)) for one, ranks in rankers.items()} | {"selected": selected}


def measured_on_films(seed: int) -> Figures:
    """Each ranker's metrics on films that are generated with this seed, as a training run judges a recommender."""
    dataset, spec, chosen = _films(seed)
    fit = RankingFit.of(spec, chosen, TrainingParameters(seed=seed))
    truth = best_order(dataset, chosen.users, chosen.items)
    judgement = judge(chosen.choices, seed, fit, truth=truth)
    selected = {"regularisation": judgement.regularisation, "weight": judgement.ranking_weight}
    found = {name: msgspec.structs.asdict(one) for name, one in judgement.figures.items()}
    found.setdefault(FIRST_STAGE, found[RECOMMENDER])  # alone, if the second stage gains nothing
    return found | {"selected": selected}


def new_on_films(seed: int) -> Figures:
    """The metrics of each order of new films, on films that are generated with this seed."""
    _, spec, chosen = _films(seed)
    columns, _ = pair_columns(spec, chosen.users, chosen.items)
    return new_items.measured(chosen.choices, cast(PairColumns, columns), seed)


def _films(seed: int) -> tuple[FilmsDataset, TablesSpec, Chosen]:
    dataset = FilmsDataset(kind="films", seed=seed)
    spec = film_files.spec_of(dataset)
    return dataset, spec, read_chosen(spec)


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
    for split, name, least in (
        ("by item", EASE, 0.470),
        ("by item", BOTH, round(figures["by item"]["mean"][EASE]["ndcg"], 4)),
        ("by user", EASE, 0.470),
        ("by user", BOTH, 0.474),
        ("likes by user", BOTH, 0.340),
        ("by time", BOTH, 0.230),
    ):
        yield at_least(f"{name} {split}: NDCG@10, mean of five seeds", least, figures[split]["mean"][name]["ndcg"])


def targets_of_films(mean: Figures) -> Iterator[Target]:
    """What can be reached on films, of the NDCG of the best order."""
    best, first = mean[BEST]["ndcg"], mean[FIRST_STAGE]["ndcg"]
    yield at_most("popularity on films: share of the best NDCG@10", 0.45, mean[POPULARITY]["ndcg"] / best)
    yield at_least("both stages on films: share of the best NDCG@10", 0.60, mean[RECOMMENDER]["ndcg"] / best)
    yield at_least("both stages on films: NDCG@10", round(first, 4), mean[RECOMMENDER]["ndcg"])


if __name__ == "__main__":
    main()
