"""The recommender's second stage: LightGBM on lists of candidates as the first stage would have offered them.

A candidate's label is whether its user chose it among the choices of a fold, of which neither the first stage nor the
counts know.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from features.encoder import MAX_ROWS, RawRows, thresholds
from features.hashing import Several, Values
from recommend import splits
from recommend.arrays import Indices, Mask, Scores
from recommend.columns import PairColumns, Value
from recommend.interactions import Interactions, Matrix
from recommend.learning import Learned
from recommend.lists import Lists
from recommend.metrics import K, Ranker, ndcg_of
from recommend.ranking import CandidateRanking, FirstStageInputs, Numbers, log_odds
from recommend.splits import task
from training.datasets.described.spec import TablesSpec
from training.engines.counted import LocalCounts
from training.engines.fitting import native_parameters
from training.engines.reading.interactions import Chosen
from training.kernels.count import count
from training.kernels.encode import FoldEncoder
from training.model.native import lightgbm
from training.parameters import TrainingParameters
from training.stages.pair_columns import pair_columns

FOLDS = 4
"""Parts of the choices, each of which is once what lists are labelled by."""
MOST_LISTS = 2_000
NEGATIVES = 0.2
"""Share of the candidates that were not chosen from which trees are fitted: all lists are cut alike, which changes no
order."""
UNKNOWN = 0.3
"""Share of the lists without their user's columns, since requests often lack them."""
TREES, LEAVES, ROWS_OF_A_LEAF = 100, 16, 100
WEIGHTS = (0.0, 0.1, 0.3, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0)
"""The values to choose the ranking's weight from. With 0 there is no second stage."""


@dataclass(frozen=True, kw_only=True)
class _Labelled:
    """Lists with the labels of their n candidates; `held_out`, int64[l], counts what each user chose in the fold."""

    lists: Lists
    chosen: Mask
    held_out: Indices

    @property
    def half(self) -> Indices:
        """One of two halves of the users for each candidate, int64[n]."""
        half: Indices = self.lists.users[self.lists.of] % 2
        return half

    def ndcg(self, log_odds_of_each: Numbers, weight: float) -> float:
        """The mean NDCG@10 of the lists in the order of both stages."""
        places = self.lists.places(self.lists.standard_scores + weight * log_odds_of_each)
        hits = np.zeros((len(self.held_out), K), np.bool_)
        found = self.chosen & (places < K)
        hits[self.lists.of[found], places[found]] = True
        return float(ndcg_of(hits, self.held_out).mean())


@dataclass(frozen=True, kw_only=True)
class RankingFit:
    """Fits rankings on choices of some of the items of `columns`, None without any. `users` has columns of users."""

    columns: PairColumns | None
    users: Mapping[str, Sequence[Value]]
    parameters: TrainingParameters
    repeats: bool = False

    @classmethod
    def of(cls, spec: TablesSpec, chosen: Chosen, parameters: TrainingParameters) -> Self:
        """The fit on the tables of a dataset config."""
        columns, users = pair_columns(spec, chosen.users, chosen.items)
        return cls(columns=columns, users=users, parameters=parameters, repeats=spec.recommend_seen)

    @cached_property
    def _users(self) -> dict[int, Values]:
        """The values of all users, and at last those of somebody of whom nothing is known."""
        if self.columns is None:
            return {}
        return self.columns.read_users({name: [*values, None] for name, values in self.users.items()})

    def fit(
        self, choices: Interactions, learned: Learned, items: Indices, weight: float | None = None
    ) -> CandidateRanking | None:
        """See `recommend.judgement.SecondStage`: the weight is chosen by users whom the trees do not know."""
        columns = None if self.columns is None else self.columns.of_items(items)
        made = self._lists(choices, columns, learned)
        if made is None:
            return None
        inputs, encoder = self._inputs(made, columns)
        if weight is None:
            weight = _best_weight(made, inputs, self.parameters)
        if weight == 0:
            return None
        booster = _fitted(inputs, made.chosen, self.parameters)
        return CandidateRanking(
            weight=weight,
            first_stage=self._first_stage(choices, columns),
            encoder=None if encoder is None else encoder.encoder,
            model=booster.model_to_string(),
            predict=lambda inputs: np.asarray(booster.predict(inputs)),
        )

    def ranker(self, ranking: CandidateRanking, first_stage: Ranker, known: Interactions, had: Matrix) -> Ranker:
        """See `recommend.judgement.SecondStage`."""
        histories = known.histories()

        def scores(users: Indices) -> Scores:
            lists = Lists.offered(first_stage, histories, had, users, ranking.first_stage)
            every = np.full((len(users), known.item_count), -np.inf, np.float32)
            every[lists.of, lists.items] = ranking.by_both(
                lists.first_stage, self._users, lists.users[lists.of], lists.items
            )
            return every

        return scores

    def _inputs(self, made: _Labelled, columns: PairColumns | None) -> tuple[Numbers, FoldEncoder | None]:
        if columns is None:
            return made.lists.first_stage, None
        users = made.lists.users.copy()
        users[np.random.default_rng(self.parameters.seed).random(len(users)) < UNKNOWN] = -1
        pairs = columns.pairs(self._users, users[made.lists.of], made.lists.items)
        folds = (made.lists.users % self.parameters.folds).astype(np.int32)[made.lists.of]
        encoder = _fold_encoder(pairs, made.chosen, folds, self.parameters)
        return np.column_stack([made.lists.first_stage, encoder.encode(pairs, folds)]), encoder

    def _first_stage(self, known: Interactions, columns: PairColumns | None) -> FirstStageInputs:
        choices = np.bincount(known.items, minlength=known.item_count).astype(np.int64)
        return FirstStageInputs(choices=choices, columns=columns, repeats=self.repeats)

    def _lists(self, choices: Interactions, columns: PairColumns | None, learned: Learned) -> _Labelled | None:
        chance = np.random.default_rng(self.parameters.seed)
        parts: list[_Labelled] = []
        held_out_parts = self._held_out(choices, chance)
        for held_out in held_out_parts:
            known = choices.only(~held_out)
            had, later = task(known, choices.only(held_out), repeats=self.repeats)
            users = chance.permutation(np.flatnonzero(np.diff(later.indptr)))[: MOST_LISTS // len(held_out_parts)]
            if len(users) and len(known):
                inputs = self._first_stage(known, columns)
                lists = Lists.offered(learned(known), known.histories(), had, users, inputs)
                found = np.asarray(later[users[lists.of], lists.items]).ravel() > 0
                counts = np.diff(later.indptr)[users].astype(np.int64)
                parts.append(_Labelled(lists=lists, chosen=found, held_out=counts))
        if not any(part.chosen.any() for part in parts):
            return None
        return _Labelled(
            lists=Lists.joined([part.lists for part in parts]),
            chosen=np.concatenate([part.chosen for part in parts]),
            held_out=np.concatenate([part.held_out for part in parts]),
        )

    def _held_out(self, choices: Interactions, chance: np.random.Generator) -> list[Mask]:
        """What lists are labelled by: the choices of each fold, or where own items are candidates, everybody's last
        quarter, because what was chosen later would tell how often.
        """
        if self.repeats:
            return [~splits.by_time(choices, self.parameters.seed)]
        fold = chance.integers(0, FOLDS, len(choices))
        return [fold == number for number in range(FOLDS)]


def _fold_encoder(
    pairs: RawRows, chosen: Mask, folds: npt.NDArray[np.int32], parameters: TrainingParameters
) -> FoldEncoder:
    """The encoder whose folds are of users: a user's own lists would tell what they chose, by what is not in them."""
    counted = []
    for column in pairs.schema.encoded:
        values = column.values(pairs.fields)
        hashes, row = (values.hashes, values.row) if isinstance(values, Several) else (values, slice(None))
        counted.append(count(hashes, chosen[row], folds[row], number=parameters.folds))
    counts = LocalCounts(columns=counted, folds=parameters.folds)
    needed = thresholds(counts.values_by_rows(MAX_ROWS), min_category_rows=parameters.min_category_rows)
    return FoldEncoder.of(counts.frequent(needed), pairs.schema, parameters)


def _best_weight(made: _Labelled, inputs: Numbers, parameters: TrainingParameters) -> float:
    """The weight with the best NDCG, for each half of the users by trees from the other half."""
    odds = np.empty(len(inputs))
    for half in range(2):
        own = made.half == half
        if not made.chosen[~own].any():
            return 0.0
        odds[own] = log_odds(np.asarray(_fitted(inputs[~own], made.chosen[~own], parameters).predict(inputs[own])))
    return max(WEIGHTS, key=lambda weight: made.ndcg(odds, weight))


def _fitted(inputs: Numbers, chosen: Mask, parameters: TrainingParameters) -> lightgbm.Booster:
    kept = chosen | (np.random.default_rng(parameters.seed).random(len(chosen)) < NEGATIVES)
    plain = parameters.of_features(inputs.shape[1]).model_copy(
        update={"num_leaves": LEAVES, "learning_rate": 0.05, "min_data_in_leaf": ROWS_OF_A_LEAF}
    )
    settings = native_parameters(plain) | {"num_threads": 1}  # so few rows are not worth a second one
    return lightgbm.train(settings, lightgbm.Dataset(inputs[kept], chosen[kept], params=settings), TREES)
