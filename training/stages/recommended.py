"""The recommender of a run: judged on held-out choices, then fitted on all of them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from recommend.judgement import Judgement, fit, judge
from recommend.recommender import Recommender
from training.datasets import tables_of
from training.engines.reading.interactions import TooManyInteractionsError, read_chosen
from training.evaluation.reachable import best_order
from training.request import TrainingRequest
from training.stages.ranked import RankingFit
from training.stages.snapshots import write_snapshots

Stage = Callable[[str, str], AbstractContextManager[None]]
STAGE = "recommend"


@dataclass(frozen=True, kw_only=True)
class Recommending:
    """The judgement on a recommender, and the one to serve, unless it was rejected."""

    judgement: Judgement
    recommender: Recommender | None


def recommending(request: TrainingRequest, stage: Stage, snapshots: Path) -> Recommending | None:
    """Train a recommender, and write the snapshots that it needs by a user's key into the folder `snapshots`.

    None for a dataset without keys of users and items.
    """
    spec = tables_of(request.dataset, request.data)
    if spec is None or spec.users is None or spec.items is None:
        return None
    with stage(STAGE, "learn who chooses what"):
        try:
            chosen = read_chosen(spec)
        except TooManyInteractionsError as error:
            return Recommending(judgement=Judgement(accepted=False, reason=str(error)), recommender=None)
        write_snapshots(snapshots, spec, chosen)
        truth = best_order(request.dataset, chosen.users, chosen.items)
        second_stage = RankingFit.of(spec, chosen, request.training)
        judgement = judge(chosen.interactions, chosen.mask, request.training.seed, second_stage, truth=truth)
        if not judgement.accepted:
            return Recommending(judgement=judgement, recommender=None)
        fitted = fit(chosen.interactions, chosen.mask, chosen.items, judgement, second_stage)
        return Recommending(judgement=judgement, recommender=fitted)
