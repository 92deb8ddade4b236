"""`make bench-recommend`: the quality of recommendations on MovieLens-100k, by the recommenders project's protocol, and
on generated films, where the best order is known.

75 % of each item's (or user's) ratings to learn from, all items not seen yet as candidates, NDCG@10. MovieLens comes
from the wheel of RecBole 1.2.1 and stays outside of the working tree: its licence does not let it be redistributed.
Published figures: https://github.com/recommenders-team/recommenders/blob/main/examples/06_benchmarks/movielens.ipynb
"""

import argparse
import subprocess
from collections.abc import Callable, Iterator
from math import isnan
from pathlib import Path
from statistics import mean
from tempfile import NamedTemporaryFile
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from benchmarks.results import Target, at_least, at_most, publish
from features.schema import Schema
from recommend import splits
from recommend.als import AlternatingLeastSquares
from recommend.arrays import Mask
from recommend.baselines import popularity, sar
from recommend.columns import PairColumns
from recommend.ease import Ease
from recommend.interactions import Interactions
from recommend.judgement import BEST, FIRST_STAGE, POPULARITY, RECOMMENDER, judge
from recommend.learning import FITTED_SHARE, Learner, choose, ranker
from recommend.metrics import Ranker, Ranking, evaluate
from tools.setup.uv import ensure_uv
from training.datasets.generated import film_files
from training.engines.reading.interactions import read_chosen
from training.evaluation.reachable import best_order
from training.parameters import FilmsDataset, TrainingParameters
from training.runtime import cache_folder
from training.stages.ranked import RankingFit

WHEEL = "recbole==1.2.1 --hash=sha256:9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407\n"
RATINGS = "recbole/dataset_example/ml-100k/ml-100k.inter"
LIKED = 4
"""The lowest rating that counts where only likes do."""
SEEDS = range(42, 47)
HALF_A_DIGIT = 0.00005
"""Golden figures hold to the fourth digit."""
Split = Callable[[Interactions, int, float], Mask]


def by_time(ratings: Interactions, _seed: int, share: float) -> Mask:
    """The first ratings of each user, bool[n]."""
    return splits.by_time(ratings, share)


SPLITS: dict[str, tuple[Split, Split, int]] = {
    "by item": (splits.by_item, splits.by_user, 0),
    "by user": (splits.by_user, splits.by_user, 0),
    "by time": (by_time, by_time, 0),
    "likes by user": (splits.by_user, splits.by_user, LIKED),
}
"""How training rows are chosen, how a part of them to fit first stages that the others choose between, and the lowest
rating to learn from and judge by; lower ones only count as seen."""
EASE, FACTORS = "EASE", "factors"
Columns = tuple[PairColumns, dict[str, list[Any]]]
Figures = dict[str, dict[str, float]]


def main() -> None:
    """Measure, print, and write `benchmarks/results/recommend.json`."""
    argparse.ArgumentParser(prog="python -m benchmarks.recommend", description=__doc__).parse_args()
    ratings, columns = movielens(), movielens_columns()
    figures: dict[str, Any] = {}
    for name in SPLITS:
        runs = [_shown(name, seed, measured(ratings, name, seed, columns)) for seed in SEEDS]
        figures[name] = {"seed_42": runs[0], "mean": _means(runs)}
    runs = [_shown("films", seed, measured_on_films(seed, Ease())) for seed in SEEDS]
    figures["films"] = {"seed_42": runs[0], "mean": _means(runs)}
    by_factors = measured_on_films(SEEDS[0], AlternatingLeastSquares(seed=SEEDS[0]))
    figures["films by factors"] = {"seed_42": _shown("films by factors", SEEDS[0], by_factors)}
    print(publish("recommend", figures, [*targets(figures), *targets_of_films(figures["films"]["mean"])]))


def _shown(name: str, seed: int, run: Figures) -> Figures:
    """The figures of a run, which are printed."""
    ndcg = ", ".join(f"{ranker} {one['ndcg']:.4f}" for ranker, one in run.items() if "ndcg" in one)
    print(f"{name}, seed {seed}: {ndcg}", flush=True)
    return run


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


def movielens_columns() -> Columns:
    """The columns of items and users, by their numbers; crosses are those of decision 32."""
    folder = (cache_folder() / "recbole" / RATINGS).parent
    users = _table(folder / "ml-100k.user", ["user", "age", "gender", "occupation", "zip"])
    items = _table(folder / "ml-100k.item", ["item", "title", "year", "genres"])
    schema = Schema(
        numeric=("age", "year"),
        categorical=("gender", "occupation", "genres", "item"),
        separators={"genres": " "},
        crosses=(("occupation", "genres"), ("gender", "item"), ("occupation", "item")),
    )
    years = pd.to_numeric(items["year"], errors="coerce").tolist()
    of_items = {
        "year": [None if isnan(year) else year for year in years],
        "genres": items["genres"].tolist(),
        "item": [str(item) for item in items.index],
    }
    of_users = {"age": users["age"].astype(float).tolist()}
    of_users |= {name: users[name].tolist() for name in ("gender", "occupation")}
    return PairColumns(schema=schema, items=of_items), of_users


def _table(file: Path, names: list[str]) -> pd.DataFrame:
    rows = pd.read_csv(
        file, sep="\t", names=names, header=0, dtype=dict.fromkeys(names[1:], str), keep_default_na=False
    )
    return rows.set_index(names[0]).sort_index()


def measured(ratings: Interactions, name: str, seed: int, columns: Columns) -> Figures:
    """Each ranker's metrics under one of the `SPLITS`.

    The weights are cut. Their regularisation, that of factors, and which of both is the first stage are chosen within
    the training rows.
    """
    split, validation, lowest = SPLITS[name]
    mask = split(ratings, seed, splits.TRAINING_SHARE)
    rows = ratings.only(mask)
    liked = rows.values >= lowest
    training, seen = rows.only(liked), rows.matrix()
    test = ratings.only(~mask & (ratings.values >= lowest)).matrix()
    fitted = validation(training, seed, FITTED_SHARE)
    choices = {EASE: choose([Ease()], training, fitted)}
    choices[FACTORS] = choose([AlternatingLeastSquares(seed=seed)], training, fitted)
    alone = {
        name: ranker(one.learner.fit(training, one.regularisation), training.matrix()) for name, one in choices.items()
    }
    best = max(choices, key=lambda name: max(choices[name].reached.values()))
    fit = RankingFit(columns=columns[0], users=columns[1], parameters=TrainingParameters(seed=seed))
    ranking = fit.fit(rows, liked, choices[best].learned, np.arange(ratings.item_count))
    both = alone[best] if ranking is None else fit.ranker(ranking, alone[best], training, seen)
    rankers: dict[str, Ranker] = {
        "popularity": popularity(training),
        "SAR": sar(training),
        **alone,
        "first stage": alone[best],
        "both stages": both,
    }
    selected = {"factors": float(best == FACTORS), "weight": 0.0 if ranking is None else ranking.weight}
    selected |= {f"regularisation of {name}": one.regularisation for name, one in choices.items()}
    return {one: _figures(evaluate(ranks, seen, test)) for one, ranks in rankers.items()} | {"selected": selected}


def measured_on_films(seed: int, learner: Learner) -> Figures:
    """Each ranker's metrics on films that are generated with this seed, as a training run judges a recommender."""
    dataset = FilmsDataset(kind="films", seed=seed)
    spec = film_files.spec_of(dataset, None)
    chosen = read_chosen(spec)
    fit = RankingFit.of(spec, chosen, TrainingParameters(seed=seed))
    truth = best_order(dataset, chosen.users, chosen.items)
    judgement = judge(chosen.interactions, chosen.mask, seed, [learner], fit, truth=truth)
    selected = {"regularisation": judgement.regularisation, "weight": judgement.ranking_weight}
    found = {name: msgspec.structs.asdict(one) for name, one in judgement.figures.items()}
    found.setdefault(FIRST_STAGE, found[RECOMMENDER])  # alone, if the second stage gains nothing
    return found | {"selected": selected}


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
        ("by item", "both stages", round(figures["by item"]["mean"]["first stage"]["ndcg"], 4)),
        ("by item", FACTORS, 0.470),
        ("by user", EASE, 0.470),
        ("by user", FACTORS, 0.470),
        ("by user", "both stages", 0.474),
        ("likes by user", "both stages", 0.390),
        ("by time", "both stages", 0.230),
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
