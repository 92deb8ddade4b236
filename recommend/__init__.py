"""Recommends items from who chose what, without Pulumi, a click model or a service.

Nine names are what most uses need:

- data in: `Interactions`, which `by_time` divides into rows to learn from and rows to judge by, and `task` into what
  users had and what they chose later;
- fit: `Ease`, weights between items, by a `Setting`;
- recommend: `Recommender`, which can be saved and loaded;
- evaluate: `evaluate` the `ranker` of what was fitted, beside `popularity`.

Of 200 users, half choose films with even numbers, and half those with odd ones:

>>> import numpy as np
>>> from recommend import Ease, Interactions, Recommender, Setting, by_time, evaluate, popularity, ranker, task
>>> chance = np.random.default_rng(42)
>>> users, times = np.repeat(np.arange(200), 12), np.tile(np.arange(12.0), 200)
>>> items = 2 * chance.integers(0, 20, len(users)) + users % 2
>>> choices = Interactions(
...     users=users, items=items, values=np.ones(len(users)), times=times, user_count=200, item_count=40
... )
>>> first = by_time(choices, seed=42)
>>> training, later = choices.only(first), choices.only(~first)
>>> had, test = task(training, later, repeats=False)
>>> weights = Ease().fit(training, Setting(regularisation=100))
>>> round(evaluate(ranker(weights, training.matrix()), had, test).ndcg, 3)
0.428
>>> round(evaluate(popularity(training), had, test).ndcg, 3)
0.151
>>> recommender = Recommender(items=[f"film {number}" for number in range(40)], first_stage=weights)
>>> history = np.array([recommender.numbers[film] for film in ("film 4", "film 16")])
>>> found = recommender.recommend(history, top=3, excluded=np.empty(0, dtype=np.int64))
>>> [recommender.items[one.item] for one in found]
['film 2', 'film 26', 'film 36']

Keys become numbers by `np.unique(keys, return_inverse=True)`. Training adds a second stage and a verdict with a
confidence interval (`judgement`).
"""

from typing import TYPE_CHECKING

from features import offered

if TYPE_CHECKING:
    from recommend.interactions import Interactions as Interactions
    from recommend.learning import Ease as Ease
    from recommend.learning import ranker as ranker
    from recommend.metrics import evaluate as evaluate
    from recommend.metrics import popularity as popularity
    from recommend.nearest import Setting as Setting
    from recommend.recommender import Recommender as Recommender
    from recommend.splits import by_time as by_time
    from recommend.splits import task as task
else:  # imported when asked for: the service has no SciPy
    __getattr__ = offered(
        __name__,
        interactions=("Interactions",),
        learning=("Ease", "ranker"),
        metrics=("evaluate", "popularity"),
        nearest=("Setting",),
        recommender=("Recommender",),
        splits=("by_time", "task"),
    )
