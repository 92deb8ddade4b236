"""The recommender of a run: judged on held-out choices, then fitted on all of them; alone, where all rows are positive.

Its second stage is LightGBM on lists of candidates as the first stage would have offered them. A candidate's label is
whether its user chose it among the choices of a fold, of which neither the first stage nor the counts know.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.bundle import Verdict
from features.columns import Category, Field, Number
from features.encoder import RawRows
from features.hashing import Several, Values
from features.schema import Schema
from recommend.arrays import Indices, Mask, Scores
from recommend.catalogue import FILE as CATALOGUE
from recommend.columns import PairColumns, Value
from recommend.interactions import Interactions, Matrix
from recommend.judgement import Judgement, fit, judge
from recommend.learning import Learned
from recommend.lists import Lists
from recommend.metrics import K, Ranker, ndcg_of
from recommend.ranking import CandidateRanking, FirstStageInputs, Numbers, log_odds
from recommend.recommender import METRIC, Recommender
from recommend.splits import task
from recommend.stored import FOLDER as SNAPSHOTS
from training.bundle import dataset_hash_of, metadata_of, write_bundle
from training.catalogue import write_snapshots
from training.config import TablesSpec
from training.datasets.manifest import Manifest
from training.evaluation.reachable import best_order
from training.kernels.count import count
from training.kernels.encode import MAX_ROWS, FoldEncoder, thresholds
from training.local.counting import LocalCounts
from training.local.fitting import native_parameters
from training.model.native import lightgbm
from training.parameters import TrainingParameters
from training.progress import Progress
from training.protocols import TrainingEngine
from training.report.data import RecommenderReport
from training.report.examples import ExampleList, example_lists
from training.request import TrainingRequest
from training.result import Result
from training.tables.columns import KEYS, table_rules
from training.tables.interactions import Chosen, TooManyInteractionsError, read_chosen
from training.tables.quick import READ, joined
from training.tables.reading import entities
from training.tables.typed import KEYLESS, OUTSIDE

Columns = dict[str, Sequence[Value]]


def pair_columns(spec: TablesSpec, users: list[str], items: list[str]) -> tuple[PairColumns | None, Columns]:
    """The columns of users and items with these keys, and those of users by number; None if items have no columns.

    Numbers and categories are read, and crosses of them; the keys of items, where the model reads them. The ages of
    times need a moment, and keys of users say nothing of people whom the ranking has not met.
    """
    of_users, of_items = _values(spec, "users", users), _values(spec, "items", items)
    if spec.items is not None and spec.items.foreign_key in spec.categorical_names:
        of_items[spec.items.foreign_key] = items
    if not of_items:
        return None, {}
    names = {*of_users, *of_items}
    schema = Schema(
        numeric=tuple(name for name in spec.numeric_names if name in names),
        categorical=tuple(name for name in spec.categorical_names if name in names),
        separators={name: one for name, one in spec.separators.items() if name in names},
        crosses=tuple(pair for pair in spec.crosses if names.issuperset(pair)),
    )
    return PairColumns(schema=schema, items=of_items), of_users


def _values(spec: TablesSpec, table: str, keys: list[str]) -> Columns:
    """The numbers and categories of the users or items with these keys, by column."""
    if table not in spec.joined:
        return {}
    rules = table_rules(spec)[table]
    found = entities(spec, rules)
    places = found.known[KEYS[table]].find(pa.array(keys, pa.string()))
    return {
        field.name: _stated(field, found.features[field.name].take(places))
        for field in rules.features
        if type(field) in {Number, Category}
    }


def _stated(field: Field, values: pa.Array) -> list[Value]:
    """The values as a request states them."""
    if not isinstance(field, Number):
        return list(values.to_pylist())
    return [field.shown(value) for value in values.to_numpy(zero_copy_only=False).tolist()]


MOST_LISTS = 2_000
NEGATIVES = 0.2
"""Share of the candidates that were not chosen from which trees are fitted: all lists are cut alike, which changes no
order."""
UNKNOWN = 0.3
"""Share of the lists without their user's columns, since requests often lack them."""
TREES, LEAVES, ROWS_OF_A_LEAF = 100, 16, 100
WEIGHTS = (0.0, 0.1, 0.3, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0)
"""The values to choose the ranking's weight from. With 0 there is no second stage."""
WEIGHTS_OF_OWN = (8.0, 15.0, 40.0)
"""Further ones where a user's own items are candidates, of which the trees know most."""


@dataclass(frozen=True, kw_only=True)
class _Labelled:
    """Lists with the labels of their n candidates; `held_out`, int64[l], counts what each user chose in the fold."""

    lists: Lists
    chosen: Mask
    held_out: Indices

    def ndcg(self, log_odds_of_each: Numbers, weight: float) -> float:
        """The mean NDCG@10 of the lists in the order of both stages."""
        places = self.lists.places(self.lists.first_stage[:, 0] + weight * log_odds_of_each)
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
        self,
        choices: Interactions,
        held_out: Sequence[Mask],
        learned: Learned,
        items: Indices,
        weight: float | None = None,
    ) -> CandidateRanking | None:
        """See `recommend.judgement.SecondStage`: the weight is chosen by users whom the trees do not know."""
        columns = None if self.columns is None else self.columns.of_items(items)
        made = self._lists(choices, held_out, columns, learned)
        if made is None:
            return None
        inputs, encoder = self._inputs(made, columns)
        if weight is None:
            weights = (*WEIGHTS, *(WEIGHTS_OF_OWN if self._own(choices) else ()))
            weight = _best_weight(made, inputs, self.parameters, weights)
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
        choices = np.bincount(known.strongest().items, minlength=known.item_count).astype(np.int64)
        return FirstStageInputs(choices=choices, columns=columns, again=known.again() if self._own(known) else None)

    def _own(self, choices: Interactions) -> bool:
        """Whether a user's own items are candidates: chosen ones, or those of weaker choices."""
        return self.repeats or choices.kinds is not None

    def _lists(
        self, choices: Interactions, held_out: Sequence[Mask], columns: PairColumns | None, learned: Learned
    ) -> _Labelled | None:
        chance = np.random.default_rng(self.parameters.seed)
        lists: list[Lists] = []
        chosen, held_out_choices = [], []
        for part in held_out:
            known = choices.only(~part)
            had, later = task(known, choices.only(part), repeats=self.repeats)
            users = np.intersect1d(np.flatnonzero(np.diff(later.indptr)), known.users)
            users = chance.permutation(users)[: MOST_LISTS // len(held_out)]
            if len(users):
                inputs = self._first_stage(known, columns)
                lists.append(offered := Lists.offered(learned(known), known.histories(), had, users, inputs))
                chosen.append(np.asarray(later[users[offered.of], offered.items]).ravel() > 0)
                held_out_choices.append(np.diff(later.indptr)[users].astype(np.int64))
        if not any(one.any() for one in chosen):
            return None
        return _Labelled(
            lists=Lists.joined(lists), chosen=np.concatenate(chosen), held_out=np.concatenate(held_out_choices)
        )


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


def _best_weight(made: _Labelled, inputs: Numbers, parameters: TrainingParameters, weights: Sequence[float]) -> float:
    """The weight with the best NDCG, for each half of the users by trees from the other half."""
    odds = np.empty(len(inputs))
    for half in range(2):
        own = made.lists.users[made.lists.of] % 2 == half
        if not made.chosen[~own].any():
            return 0.0
        odds[own] = log_odds(np.asarray(_fitted(inputs[~own], made.chosen[~own], parameters).predict(inputs[own])))
    return max(weights, key=lambda weight: made.ndcg(odds, weight))


def _fitted(inputs: Numbers, chosen: Mask, parameters: TrainingParameters) -> lightgbm.Booster:
    kept = chosen | (np.random.default_rng(parameters.seed).random(len(chosen)) < NEGATIVES)
    plain = parameters.of_features(inputs.shape[1]).model_copy(
        update={"num_leaves": LEAVES, "learning_rate": 0.05, "min_data_in_leaf": ROWS_OF_A_LEAF}
    )
    settings = native_parameters(plain) | {"num_threads": 1}  # so few rows are not worth a second one
    return lightgbm.train(settings, lightgbm.Dataset(inputs[kept], chosen[kept], params=settings), TREES)


STAGE = "recommend"


@dataclass(frozen=True, kw_only=True)
class Recommending:
    """The judgement on a recommender, and the one to serve, unless it was rejected; `found` counts what was read of the
    interactions and dropped, and `counted` users, items and choices.
    """

    judgement: Judgement
    recommender: Recommender | None
    found: Mapping[str, int] = field(default_factory=dict)
    counted: Mapping[str, int] = field(default_factory=dict)
    examples: Sequence[ExampleList] = ()


def recommending(
    engine: TrainingEngine, spec: TablesSpec, request: TrainingRequest, snapshots: Path, progress: Progress
) -> Recommending:
    """Train a recommender from tables with keys of both.

    The snapshots that it needs by a user's key are written into the folder `snapshots`.
    """

    def report(doing: str, done: int, total: int) -> None:
        progress(STAGE, f"{doing}, {done} of {total}", done=done, total=total)

    with engine.stage(progress, STAGE, "learn who chooses what"):
        try:
            chosen = read_chosen(spec)
        except TooManyInteractionsError as error:
            return Recommending(judgement=Judgement(accepted=False, reason=str(error)), recommender=None)
        counted = {
            "Interactions read": sum(chosen.found[name] for name in (READ, KEYLESS, f"{OUTSIDE} interactions")),
            "Users": len(chosen.users),
            "Items": len(chosen.items),
            "Items that can be recommended": int(chosen.listed.sum()),
            "Choices": len(chosen.choices),
        }
        progress(STAGE, f"{len(chosen.choices):,} choices of {counted['Users']:,} users and {counted['Items']:,} items")
        truth = best_order(request.dataset, chosen.users, chosen.items)
        second_stage = RankingFit.of(spec, chosen, request.training)
        one_time = chosen.choices.user_count - len(chosen.users)
        choices = replace(chosen.choices, one_time=one_time, listed=chosen.listed)
        judgement = judge(choices, request.training.seed, second_stage, truth=truth, report=report)
        fitted = fit(choices, chosen.items, judgement, second_stage, report) if judgement.accepted else None
        counted |= {} if fitted is None else left_out(choices, chosen.items, fitted.items)
        write_snapshots(snapshots, spec, chosen, request.forgotten_meanwhile())
        examples = [] if fitted is None else example_lists(fitted, snapshots / CATALOGUE, request.training.seed)
        found = chosen.found
        return Recommending(judgement=judgement, recommender=fitted, found=found, counted=counted, examples=examples)


def left_out(choices: Interactions, keys: Sequence[str], learned: Sequence[str]) -> dict[str, int]:
    """How many chosen items with these keys are not among the `learned` ones, since there are more than `MOST_ITEMS`,
    and how many choices are of them; empty if all are.
    """
    counts, known = np.bincount(choices.items, minlength=len(keys)), {*learned}
    others = [int(count) for key, count in zip(keys, counts, strict=True) if count and key not in known]
    return {"Rarest items that are not learned": len(others), "Choices of these": sum(others)} if others else {}


def train_recommender(
    engine: TrainingEngine,
    arguments: TrainingRequest,
    manifest: Manifest,
    spec: TablesSpec,
    *,
    output: Path,
    progress: Progress,
) -> Result:
    """Train on the tables of `spec` and write the bundle to `output / "bundle"`.

    The verdict is the recommender's, which is compared with popularity and not with earlier versions. Raises a
    `DatasetError` for malformed rows, and `SnapshotError` if the snapshots beside the bundle cannot be written.
    """
    parameters = arguments.training.model_copy(update={"engine": engine.name})
    recommended = recommending(engine, spec, arguments, output / SNAPSHOTS, progress)
    judgement = recommended.judgement
    rows = joined(recommended.found, spec.inner) if recommended.found else ""
    for line in filter(None, (rows, judgement.reason)):
        progress(STAGE, line)
    with engine.stage(progress, "bundle", "write the bundle"):
        metadata = metadata_of(
            engine,
            manifest,
            parameters,
            dataset_hash=dataset_hash_of(spec, arguments.dataset),
            metrics={**judgement.scalars(), METRIC: msgspec.to_builtins(judgement)},
            verdict=Verdict(accepted=judgement.accepted, reasons=(judgement.reason,)),
        )
        shown = RecommenderReport(
            dataset=manifest.description,
            rows=rows,
            counted=recommended.counted,
            recommender=judgement,
            examples=recommended.examples,
            parameters=parameters,
            versions=metadata.library_versions,
            hashes={"manifest": metadata.manifest_hash, "code": metadata.code_hash},
        )
        return write_bundle(
            output / "bundle",
            schema=spec.joined_schema,
            metadata=metadata,
            clicks=None,
            recommender=recommended.recommender,
            shown=shown,
            rows={},
            seconds=progress.seconds,
            counted=recommended.counted,
        )
