"""The earlier versions that a candidate is compared with: the champion and the best version kept."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from azure_clients.model_versions import Earlier, Version
from tests.support.versions import version
from training.evaluation.gate import Compared, EarlierVersion, judge
from training.evaluation.metrics import Evaluation, evaluate
from training.parameters import GateParameters, TrainingParameters

PARAMETERS = TrainingParameters()
TEMPLATE = evaluate(np.arange(2_013) < 450, np.full(2_013, 0.22))


def measured(log_loss: float) -> Evaluation:
    return msgspec.structs.replace(TEMPLATE, auc=0.7, log_loss=log_loss, calibration_error=0.01)


def compared(found: Version | None, log_loss: float) -> EarlierVersion | None:
    """A version beside a candidate, with what a run would measure on data that does not change."""
    if found is None:
        return None
    pair = Compared(earlier=measured(found.metrics["log_loss"]), ours=measured(log_loss), standard_error=0.0001)
    return EarlierVersion(version=found.number, bundle_hash=found.bundle_hash, compared=pair)


def run(registry: list[Version], log_loss: float) -> tuple[bool, str]:
    """Train and register a candidate, and serve it if the gate accepts it; return the verdict and its first reason."""
    earlier = Earlier.among(registry, PARAMETERS)
    champion, best = (compared(found, log_loss) for found in (earlier.champion, earlier.best))
    verdict = judge(measured(log_loss), {}, champion, GateParameters(), best=best)
    number = len(registry) + 1
    if verdict.accepted:
        registry[:] = [replace(kept, champion=False) for kept in registry]
    registry.append(version(number, log_loss=log_loss, accepted=verdict.accepted, champion=verdict.accepted))
    return verdict.accepted, verdict.reasons[0]


def test_runs_that_each_lose_a_little_are_refused_once_it_adds_up() -> None:
    registry: list[Version] = []
    accepted = [run(registry, 0.4600 + 0.0015 * number)[0] for number in range(4)]
    assert accepted == [True, True, False, False]
    _, reason = run(registry, 0.4630)
    assert "0.0030 higher than that of the best version kept (version 1, 0.4600)" in reason
    assert run(registry, 0.4610)[0]


def test_a_champion_that_is_the_best_is_compared_with_once() -> None:
    champion = version(1, champion=True)
    assert Earlier.among([champion, version(2, log_loss=0.47)], PARAMETERS) == Earlier(champion=champion, best=None)


def test_versions_of_other_data_are_ranked_relative_to_the_base_rate() -> None:
    easier = version(1, log_loss=0.20, base_rate_loss=0.21)
    harder = version(2, log_loss=0.46, base_rate_loss=0.53)
    assert Earlier.among([easier, harder], PARAMETERS).best == harder


@pytest.mark.parametrize(
    "other",
    [
        version(1, log_loss=0.4, accepted=False),
        version(1, log_loss=0.4, hyperparameters={**version(1).hyperparameters, "seed": 7}),
        version(1, log_loss=0.4, hyperparameters={**version(1).hyperparameters, "train_fraction": 0.9}),
        version(1, metrics={"log_loss": 0.4}),
    ],
)
def test_a_version_that_was_refused_or_may_have_seen_the_rows_is_not_the_best(other: Version) -> None:
    assert Earlier.among([other, version(2, champion=True)], PARAMETERS).best is None
    assert Earlier.among([other, version(2), version(3, log_loss=0.47, champion=True)], PARAMETERS).best == version(2)


def test_a_version_that_a_run_could_not_compare_does_not_hide_the_next_best() -> None:
    lost = version(1, log_loss=0.4)
    told = version(2).metrics | {"best_kept": {"version": 1, "not_comparable": "it needs columns"}}
    champion = version(3, log_loss=0.47, champion=True)
    assert Earlier.among([lost, version(2), champion], PARAMETERS).best == lost
    best = Earlier.among([lost, version(2, metrics=told), champion], PARAMETERS).best
    assert best is not None
    assert best.number == 2
