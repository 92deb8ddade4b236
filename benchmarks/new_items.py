"""Part of `make bench-recommend`: how well new items are ordered, by the values that they share with known ones.

A fifth of the items is kept out of the training rows, and offered to each user alone. What a user chose of them is
relevant.
"""

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy import sparse

from benchmarks.choosing import choose
from benchmarks.results import Target, at_least
from recommend import catalogue, splits
from recommend.arrays import Indices, Numbers, Scores
from recommend.catalogue import Catalogue, Comparison, ItemRow, Layout, State
from recommend.columns import PairColumns
from recommend.first_stage import MOST_ITEMS
from recommend.interactions import Interactions, items_of
from recommend.learning import FITTED_SHARE, Ease
from recommend.metrics import Ranker, evaluate
from recommend.splits import most_chosen

NEW_SHARE = 0.2
"""The share of the items that are new."""
COLUMN = "genres"
"""What new items have in common with known ones."""
RANDOM, EVERYBODY, HISTORY = "a random order", "the same order for everybody", "by the history"
"""The orders of new items: with nothing known of the user, popular values come first."""


def measured(choices: Interactions, columns: PairColumns, seed: int) -> dict[str, dict[str, float]]:
    """The metrics of each order of new items, which the seed draws. `columns` are those of all items."""
    chance = np.random.default_rng(seed)
    items = chance.permutation(choices.item_count)
    new = items[: round(NEW_SHARE * len(items))]
    known = most_chosen(choices.only(~np.isin(choices.items, new)), MOST_ITEMS)
    training, test = choices.of_items(known), choices.of_items(new).matrix()
    found = _new_items(known, new, columns)
    choice = choose(Ease(), training, splits.by_user(training, seed, FITTED_SHARE))
    first_stage, chosen = Ease().fit(training, choice.setting), training.matrix()

    def by_history(users: Indices) -> Scores:
        scores = [found.scores(_above(first_stage.scores(items_of(chosen, user)))) for user in users]
        return np.stack(scores).astype(np.float32)

    popular = found.scores(_above(-np.log1p(np.arange(len(known))))).astype(np.float32)
    orders: dict[str, Ranker] = {
        RANDOM: lambda users: chance.random((len(users), len(new)), np.float32),
        EVERYBODY: lambda users: np.broadcast_to(popular, (len(users), len(new))),
        HISTORY: by_history,
    }
    asked, seen = np.flatnonzero(np.diff(chosen.indptr)), sparse.csr_matrix(test.shape)
    rankings = {name: evaluate(order, seen, test, asked) for name, order in orders.items()}
    return {name: {"ndcg": one.ndcg, "recall": one.recall} for name, one in rankings.items()}


def _above(scores: Numbers) -> Numbers:
    """By how much scores are above their mean."""
    above: Numbers = scores - scores.mean()
    return above


def _new_items(known: Indices, new: Indices, columns: PairColumns) -> Comparison:
    """The new items as a service finds them: they follow the known ones in its catalogue, in their order."""
    texts = columns.items[COLUMN]
    separators = {field.name: field.separator for field in columns.schema.texts if field.name == COLUMN}
    rows = [ItemRow(str(item), {COLUMN: str(texts[item] or "")}, State.TRAINED) for item in (*known, *new)]
    with TemporaryDirectory() as folder:
        file = Path(folder) / catalogue.FILE
        catalogue.write(file, rows, Layout(item_column="item", separators=separators))
        with closing(Catalogue(file, [str(item) for item in known])) as opened:
            return Comparison.of_new(opened, None, [COLUMN])


def targets(name: str, mean: dict[str, dict[str, float]]) -> list[Target]:
    """An order by the history is better than a random one, and than one that is the same for everybody."""
    title = f"new items of {name} by the history: NDCG@10, beside"
    return [
        at_least(f"{title} {order}", round(mean[order]["ndcg"], 4), mean[HISTORY]["ndcg"])
        for order in (RANDOM, EVERYBODY)
    ]
