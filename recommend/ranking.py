"""The second stage: trees that know users and items order the candidates that the first stage offers.

The order is the first stage's score, standardised over the candidates, plus `weight` times the trees' log odds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import msgspec
import numpy as np
import numpy.typing as npt

from features.bundle import check_trees
from features.encoder import Encoder
from features.hashing import Values, spread
from features.schema import Schema
from recommend.arrays import Indices, place_of
from recommend.columns import Chosen, PairColumns, Taste, Value
from recommend.first_stage import decays

SETTINGS, MODEL, CHOICES, AGAIN = "ranking.json", "model.txt", "choices.npy", "again.npy"
CANDIDATES = 100
"""The candidates that the ranking learns from, and the fewest that it orders."""
FIRST_STAGE = ("standard_score", "place", "popularity", "history")
"""The inputs that every dataset has. Those of a candidate are as standardised scores and places, because scores and
counts would be lower where a part of the choices is left out to learn from."""
OWN = ("own_choices", "own_age", "own_decayed", "again")
"""The inputs about a user's own items, where these are recommended again: how often somebody chose the candidate, and
how many choices ago, as logarithms; how often, where a choice counts half after `OWN_HALF_LIFE` later ones; and the
share of those who chose it that did so again."""
OWN_HALF_LIFE = 60.0

Numbers = npt.NDArray[np.float64]
Predict = Callable[[Numbers], npt.ArrayLike]
"""The probability of each row of inputs, float64[n, f]."""
BestOf = Callable[[Numbers, int], Indices]
"""See `best_of`."""


def best_of(scores: Numbers, top: int) -> Indices:
    """The best `top` items, or all that have a finite score, best first; of equal scores the lower number first."""
    last = max(len(scores) - top, 0)
    candidates = np.flatnonzero(scores >= np.partition(scores, last)[last])
    order = candidates[np.argsort(-scores[candidates], kind="stable")[:top]]
    found: Indices = order[np.isfinite(scores[order])]
    return found


def diverse(scores: Numbers, likeness: Numbers, diversity: float, top: int) -> Indices:
    """The places of `top` candidates at most in the order of a list, from their `scores`, float64[c], and their
    `likeness`, float64[c, c], from 0 to 1.

    The next one has the highest score, from 0 to 1, times 1 - `diversity`, minus `diversity` times its largest likeness
    to one before it: maximal marginal relevance. Carbonell, Goldstein: The Use of MMR, Diversity-Based Reranking for
    Reordering Documents and Producing Summaries, SIGIR 1998.
    """
    apart = scores - scores.min(initial=np.inf)
    relevance = (1 - diversity) * apart / (apart.max(initial=0.0) or 1.0)
    alike, order = np.zeros(len(scores)), list[int]()
    for _ in range(min(top, len(scores))):
        values = relevance - diversity * alike
        values[order] = -np.inf
        order.append(int(values.argmax()))
        alike = np.maximum(alike, likeness[order[-1]])
    return np.array(order, dtype=np.int64)


def standard(scores: Numbers, of: Indices, place: Indices) -> Numbers:
    """The standard scores, float64[n], of candidates among the first `CANDIDATES` of their list; see `Placed`."""
    first = place < CANDIDATES
    count = np.maximum(np.bincount(of[first]), 1)
    apart = scores - (np.bincount(of[first], weights=scores[first]) / count)[of]
    deviations = np.sqrt(np.bincount(of[first], weights=np.square(apart[first])) / count)[of]
    return np.divide(apart, deviations, out=np.zeros(len(scores)), where=deviations > 0)


class Candidates(NamedTuple):
    """The `items`, int64[c], that the first stage offers somebody, and their `scores`, float64[c], best first.

    `history`, int64[h], has the latest choice last, and an item as often as it was chosen; `user` has the columns that
    are known of them.
    """

    history: Indices
    items: Indices
    scores: Numbers
    user: Mapping[str, Value]


class Placed(NamedTuple):
    """All candidates of several `lists`, in the order of these: the list that each is `of`, int64[n], and its `place`
    there, int64[n]; both begin with 0.
    """

    lists: Sequence[Candidates]
    of: Indices
    place: Indices
    items: Indices
    scores: Numbers

    @classmethod
    def together(cls, lists: Sequence[Candidates]) -> Self:
        """The candidates of one list or more."""
        of, place = spread(np.array([len(one.items) for one in lists]))
        return cls(
            lists=lists,
            of=of,
            place=place,
            items=np.concatenate([one.items for one in lists]),
            scores=np.concatenate([one.scores for one in lists]),
        )


@dataclass(frozen=True, kw_only=True)
class FirstStageInputs:
    """What the first stage knows of candidates: from the choices of each of m items, int64[m], and the columns of
    items, if there are any. With `again`, float64[m], the share of those who chose an item that did so again, a user's
    own items are candidates.
    """

    choices: Indices
    columns: PairColumns | None
    again: Numbers | None = None

    @cached_property
    def _logarithms(self) -> Numbers:
        """The logarithm of each item's choices."""
        return np.log1p(self.choices)

    @cached_property
    def _tastes(self) -> list[tuple[Taste, Numbers]]:
        """The tastes, and the share of each of their values in all choices."""
        popularity = self.choices / max(self.choices.sum(), 1)
        return [] if self.columns is None else [(taste, taste.shares(popularity)) for taste in self.columns.tastes]

    @property
    def names(self) -> list[str]:
        """The names of the inputs."""
        tastes = [] if self.columns is None else range(len(self.columns.tastes))
        return [*FIRST_STAGE, *(() if self.again is None else OWN), *(f"taste_{number}" for number in tastes)]

    def candidates(self, scores: Numbers, history: Indices, top: int, best: BestOf = best_of) -> Indices:
        """The best `top` items by the first stage's `scores`, float64[m], best first, and with `again` so many of the
        history's latest ones besides.
        """
        found = best(scores, top)
        if self.again is None:
            return found
        latest = np.unique(history[-top:])
        both = np.union1d(found, latest[np.isfinite(scores[latest])])
        ordered: Indices = both[np.argsort(-scores[both], kind="stable")]
        return ordered

    def of(self, placed: Placed) -> Numbers:
        """The inputs of the candidates, float64[n, k]. Memory for each value of a column is needed for each list."""
        lists, of, place, items, scores = placed
        chosen = Chosen.of([one.history for one in lists], len(self.choices))
        columns = [
            standard(scores, of, place),
            place,
            standard(self._logarithms[items], of, place),
            np.log1p(chosen.counts)[of],
            *(() if self.again is None else (*self._own(lists), self.again[items])),
            *(taste.of_items(chosen, of, items, shares) for taste, shares in self._tastes),
        ]
        # Processors differ in a logarithm's last digit. Trees that split there would differ, and so would the lists.
        inputs = np.empty((len(items), len(columns)), dtype=np.float32)
        for number, column in enumerate(columns):
            inputs[:, number] = column
        return inputs.astype(np.float64)

    def _own(self, lists: Sequence[Candidates]) -> tuple[Numbers, Numbers, Numbers]:
        """The first inputs `OWN`, of which an item that was never chosen is older than all others."""
        choices, ages, decayed = [], [], []
        for history, items, *_ in lists:
            known, which, counts = np.unique(history, return_inverse=True, return_counts=True)
            last = np.full(len(known) + 1, -1)
            last[which] = np.arange(len(history))
            at = place_of(items, known)
            choices.append(np.append(counts, 0)[at])
            ages.append(len(history) - 1 - last[at])
            decayed.append(np.append(np.bincount(which, decays(len(history), OWN_HALF_LIFE)), 0.0)[at])
        return np.log1p(np.concatenate(choices)), np.log1p(np.concatenate(ages)), np.concatenate(decayed)


class _Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `SETTINGS`: the schema of pairs of a user and an item, if there is one, and the items' columns."""

    weight: float
    schema: Schema | None
    items: dict[str, list[Value]]


@dataclass(frozen=True, kw_only=True)
class CandidateRanking:
    """The trees with all that their inputs need. `encoder` is None without columns of users and items."""

    weight: float
    first_stage: FirstStageInputs
    encoder: Encoder | None
    model: str
    """LightGBM's text."""
    predict: Predict

    @cached_property
    def _of_items(self) -> Numbers:
        """The inputs of the items' own columns, which are the same for everybody."""
        columns = self.first_stage.columns
        return np.empty((0, 0)) if columns is None or self.encoder is None else columns.encoded_items(self.encoder)

    def scores(self, lists: Sequence[Candidates]) -> list[Numbers]:
        """The scores by both stages, float64[c], of each list of candidates. A call for many costs little more."""
        columns = self.first_stage.columns
        known = (
            {} if columns is None else {one.name: [own.user.get(one.name) for own in lists] for one in columns.of_users}
        )
        users = {} if columns is None else columns.read_users(known)
        placed = Placed.together(lists)
        found = self.by_both(self.first_stage.of(placed), users, placed.of, placed.items)
        return np.split(found, np.cumsum([len(own.items) for own in lists])[:-1])

    def by_both(self, first_stage: Numbers, users: Mapping[int, Values], user: Indices, items: Indices) -> Numbers:
        """The scores by both stages, float64[n], of candidates with these inputs from the first one, float64[n, k].

        `user`, int64[n], is the row of `users` that a candidate is for.
        """
        inputs, columns = first_stage, self.first_stage.columns
        if columns is not None and self.encoder is not None:
            of_pairs = columns.encoded_pairs(users, user, items, self._of_items, self.encoder)
            inputs = np.column_stack([inputs, of_pairs])
        return first_stage[:, 0] + self.weight * log_odds(self.predict(inputs))

    def save(self, folder: Path) -> None:
        """Write the files to the new folder `folder`."""
        folder.mkdir()
        columns = self.first_stage.columns
        settings = _Settings(
            weight=self.weight,
            schema=None if columns is None else columns.schema,
            items={} if columns is None else {name: [*values] for name, values in columns.items.items()},
        )
        (folder / SETTINGS).write_bytes(msgspec.json.encode(settings))
        (folder / MODEL).write_text(self.model, encoding="utf-8")
        np.save(folder / CHOICES, self.first_stage.choices)
        if self.first_stage.again is not None:
            np.save(folder / AGAIN, self.first_stage.again)
        if self.encoder is not None:
            self.encoder.save(folder)

    @classmethod
    def load(cls, folder: Path, opened: Callable[[Path, int], Predict]) -> Self:
        """The ranking in `folder`. `opened` gives the predictions of a model file with so many inputs.

        Raises `OSError`, `ValueError`, `msgspec.DecodeError`, `EncoderError` or `TreesError` if it cannot be read.
        """
        settings = msgspec.json.decode((folder / SETTINGS).read_bytes(), type=_Settings)
        columns = None if settings.schema is None else PairColumns(schema=settings.schema, items=settings.items)
        again = np.load(folder / AGAIN) if (folder / AGAIN).is_file() else None
        first_stage = FirstStageInputs(choices=np.load(folder / CHOICES), columns=columns, again=again)
        inputs = len(first_stage.names) + (0 if settings.schema is None else len(settings.schema.encoded_features))
        check_trees(folder / MODEL, inputs)
        return cls(
            weight=settings.weight,
            first_stage=first_stage,
            encoder=None if settings.schema is None else Encoder.load(folder).fitting(settings.schema),
            model=(folder / MODEL).read_text(encoding="utf-8"),
            predict=opened(folder / MODEL, inputs),
        )


def log_odds(probabilities: npt.ArrayLike) -> Numbers:
    """The log odds of probabilities, float64[n]."""
    known = np.asarray(probabilities, dtype=np.float64)
    odds: Numbers = np.log(known) - np.log1p(-known)
    return odds
