"""The recommender of a run: judged on held-out choices, then fitted on all of them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recommend.judgement import Judgement, fit, judge
from recommend.learning import Ease, Learner
from recommend.recommender import Recommender
from training.datasets import tables_of
from training.datasets.described.kept import joined
from training.datasets.described.spec import TablesSpec
from training.engines.reading.interactions import Chosen, TooManyInteractionsError, read_chosen
from training.evaluation.reachable import best_order
from training.parameters import FirstStages
from training.request import TrainingRequest
from training.stages.ranked import RankingFit
from training.stages.snapshots import write_snapshots

Stage = Callable[[str, str], AbstractContextManager[None]]
STAGE = "recommend"


@dataclass(frozen=True, kw_only=True)
class Recommending:
    """The judgement on a recommender, and the one to serve, unless it was rejected; `rows` says what was read of the
    interactions and dropped.
    """

    judgement: Judgement
    recommender: Recommender | None
    rows: str = ""


def recommending(request: TrainingRequest, stage: Stage, snapshots: Path, factors: Learner) -> Recommending | None:
    """Train a recommender whose first stage is weights between items, or `factors`.

    The snapshots that it needs by a user's key are written into the folder `snapshots`. None for a dataset without
    keys of users and items.
    """
    spec = tables_of(request.dataset, request.data, request.passed_over)
    if spec is None or spec.users is None or spec.items is None:
        return None
    return recommending_from(spec, request, stage, snapshots, factors)


def recommending_from(
    spec: TablesSpec, request: TrainingRequest, stage: Stage, snapshots: Path, factors: Learner
) -> Recommending:
    """The same from the tables of a config with keys of users and items."""
    with stage(STAGE, "learn who chooses what"):
        try:
            chosen = read_chosen(spec)
        except TooManyInteractionsError as error:
            return Recommending(judgement=Judgement(accepted=False, reason=str(error)), recommender=None)
        write_snapshots(snapshots, spec, chosen)
        rows = joined(chosen.found, spec)
        truth = best_order(request.dataset, chosen.users, chosen.items)
        second_stage = RankingFit.of(spec, chosen, request.training)
        learners, seed = learners_of(chosen, factors, request.training.first_stage), request.training.seed
        judgement = judge(chosen.choices, seed, learners, second_stage, truth=truth)
        if not judgement.accepted:
            return Recommending(judgement=judgement, recommender=None, rows=rows)
        fitted = fit(chosen.choices, chosen.items, judgement, learners=learners, second_stage=second_stage)
        return Recommending(judgement=judgement, recommender=fitted, rows=rows)


def learners_of(chosen: Chosen, factors: Learner, wanted: FirstStages) -> list[Learner]:
    """What may learn a first stage from these choices: weights between items need memory for each pair of them."""
    if len(np.unique(chosen.choices.items)) > Ease.most_items:
        return [factors]
    return [Ease(), factors] if wanted is FirstStages.BEST else [Ease()]
