"""The gate accepts a candidate only if every threshold is met, and says by how much."""

from dataclasses import replace
from types import MappingProxyType

import msgspec
import pytest

from training.evaluation.earlier import Compared, EarlierVersion
from training.evaluation.gate import judge
from training.evaluation.reference import Drift, Moved
from training.metrics.curves import ScoreBins
from training.metrics.evaluate import Evaluation, evaluate_bins
from training.parameters import GateParameters

TEMPLATE = evaluate_bins(ScoreBins.of_constant(clicks=450, others=1_563, probability=0.22))
GATE = GateParameters()


def measured(*, auc: float = 0.7123, log_loss: float = 0.4630, calibration_error: float = 0.0101) -> Evaluation:
    return msgspec.structs.replace(TEMPLATE, auc=auc, log_loss=log_loss, calibration_error=calibration_error)


BASELINES = MappingProxyType(
    {"base_rate": measured(auc=0.5, log_loss=0.53), "logistic_regression": measured(auc=0.7, log_loss=0.47)}
)


def earlier(log_loss: float, *, ours: float = 0.4630, error: float = 0.0004, version: int = 3) -> EarlierVersion:
    """A version with this log loss beside that of the candidate, and the standard error of their difference."""
    pair = Compared(earlier=measured(log_loss=log_loss), ours=measured(log_loss=ours), standard_error=error)
    return EarlierVersion(version=version, bundle_hash="ab" * 32, compared=pair)


def lost(version: int) -> EarlierVersion:
    reason = "it needs the column x"
    return EarlierVersion(version=version, bundle_hash="", compared=None, not_comparable=reason)


def test_a_candidate_that_passes_everything_is_accepted_with_all_reasons() -> None:
    verdict = judge(measured(), BASELINES, earlier(0.4642), GATE)
    chance = TEMPLATE.calibration_noise
    assert verdict.accepted
    assert verdict.reasons == (
        "AUC 0.7123 is at least 0.6000.",
        f"Calibration error 0.0101 is at most 0.0500 (chance alone gives about {chance:.4f} on 2,013 rows).",
        "Log loss 0.4630 is 0.0670 lower than that of the baseline click rate alone (0.5300).",
        "Log loss 0.4630 is 0.0070 lower than that of the baseline logistic regression (0.4700).",
        (
            "Log loss 0.4630 is 0.0012 lower than that of the champion (version 3, 0.4642) on the same 2,013 held-out "
            "rows."
        ),
    )


@pytest.mark.parametrize(
    ("evaluation", "reason"),
    [
        (measured(auc=0.5999), "AUC 0.5999 is below 0.6000."),
        (measured(calibration_error=0.0501), "Calibration error 0.0501 is above 0.0500"),
        (measured(log_loss=0.5), "Log loss 0.5000 is 0.0300 higher than that of the baseline logistic regression"),
    ],
)
def test_one_missed_threshold_rejects_and_comes_first(evaluation: Evaluation, reason: str) -> None:
    verdict = judge(evaluation, BASELINES, None, GATE)
    assert not verdict.accepted
    assert verdict.reasons[0].startswith(reason)


def test_a_threshold_that_is_just_met_passes() -> None:
    gate = GateParameters(min_auc=0.7, max_calibration_error=0.01)
    assert judge(measured(auc=0.7, calibration_error=0.01), BASELINES, None, gate).accepted


def test_a_baseline_that_is_only_equalled_is_not_beaten() -> None:
    verdict = judge(measured(log_loss=0.47), BASELINES, None, GATE)
    assert not verdict.accepted
    assert verdict.reasons[0].endswith("but must be lower.")


def test_the_gain_over_every_baseline_must_exceed_the_setting() -> None:
    verdict = judge(measured(), BASELINES, None, GateParameters(min_log_loss_gain=0.01))
    assert not verdict.accepted
    assert verdict.reasons[0] == (
        "Log loss 0.4630 is 0.0070 lower than that of the baseline logistic regression (0.4700), "
        "but must be lower by more than 0.0100."
    )


def test_a_rise_within_the_allowance_does_not_dethrone_the_candidate() -> None:
    verdict = judge(measured(), BASELINES, earlier(0.4615), GATE)
    assert verdict.accepted
    assert verdict.reasons[-1].endswith("held-out rows, within the allowed rise of 0.0020.")


def test_a_candidate_worse_than_the_champion_is_rejected_by_how_much() -> None:
    verdict = judge(measured(), BASELINES, earlier(0.46), GATE)
    assert not verdict.accepted
    assert verdict.reasons[0] == (
        "Log loss 0.4630 is 0.0030 higher than that of the champion (version 3, 0.4600) on the same 2,013 held-out "
        "rows, more than the allowed rise of 0.0020, and than two standard errors (0.0008)."
    )


@pytest.mark.parametrize(("error", "accepted"), [(0.0014, False), (0.0016, True)])
def test_a_rise_that_chance_explains_does_not_reject(*, error: float, accepted: bool) -> None:
    """By 0.003, which two standard errors of 0.0016 exceed."""
    verdict = judge(measured(), BASELINES, earlier(0.46, error=error), GATE)
    assert verdict.accepted is accepted
    if accepted:
        assert verdict.reasons[-1].endswith(
            "more than the allowed rise of 0.0020, but within two standard errors (0.0032)."
        )


def test_a_candidate_is_compared_by_its_loss_on_the_rows_that_the_champion_has_not_seen() -> None:
    """On all held-out rows it has 0.463, on the later ones 0.470."""
    pair = earlier(0.4695, ours=0.4700).compared
    assert pair is not None
    since = EarlierVersion(version=3, bundle_hash="", compared=replace(pair, since="2026-11-01 00:00:00 UTC"))
    assert judge(measured(), BASELINES, since, GATE).reasons[-1] == (
        "Log loss 0.4700 is 0.0005 higher than that of the champion (version 3, 0.4695) on the same 2,013 held-out "
        "rows from 2026-11-01 00:00:00 UTC on, within the allowed rise of 0.0020."
    )


def test_losses_do_not_add_up_over_runs_that_each_lose_a_little() -> None:
    """Each run loses 0.0015 against the last champion, as the gate allows; the second loses 0.003 against the best."""
    first, second, third = (0.4600, 0.4615, 0.4630)
    assert judge(measured(log_loss=second), BASELINES, earlier(first, ours=second), GATE).accepted
    best = earlier(first, ours=third, version=1)
    verdict = judge(measured(log_loss=third), BASELINES, earlier(second, ours=third), GATE, best=best)
    assert not verdict.accepted
    assert verdict.reasons[0].startswith(
        "Log loss 0.4630 is 0.0030 higher than that of the best version kept (version 1, 0.4600) on the same 2,013 "
        "held-out rows, more than the allowed rise of 0.0020"
    )


def test_a_best_version_that_cannot_be_compared_is_said_and_blocks_nothing() -> None:
    verdict = judge(measured(), BASELINES, earlier(0.4642), GATE, best=lost(1))
    assert verdict.accepted
    assert verdict.reasons[-1] == "The best version kept (version 1) is not compared, because it needs the column x."


def test_without_a_champion_the_candidate_may_serve() -> None:
    verdict = judge(measured(), BASELINES, None, GATE)
    assert verdict.accepted
    assert verdict.reasons[-1] == "There is no champion yet to compare with."


def test_a_champion_that_cannot_be_compared_is_said_and_blocks_nothing() -> None:
    verdict = judge(measured(), BASELINES, lost(3), GATE)
    assert verdict.accepted
    assert verdict.reasons[-1] == "The champion (version 3) is not compared, because it needs the column x."


def drift(index: float) -> Drift:
    columns = (Moved(name="cat03", index=index),)
    return Drift(rows=2_013, chance=0.0011, prediction=Moved(name="prediction", index=0.01), columns=columns)


@pytest.mark.parametrize(
    ("limit", "accepted", "reason"),
    [
        (0.25, False, "Drift of 0.3000 in the column cat03 from what the champion was trained on is above 0.2500 "),
        (0.35, True, "Drift of 0.3000 in the column cat03 from what the champion was trained on is at most 0.3500 "),
        (
            0.0,
            True,
            "Drift of 0.3000 in the column cat03 from what the champion was trained on has no limit ",
        ),
    ],
)
def test_data_that_has_moved_too_far_rejects_where_a_limit_is_set(*, limit: float, accepted: bool, reason: str) -> None:
    moved = replace(earlier(0.4642), drift=drift(0.3))
    verdict = judge(measured(), BASELINES, moved, GateParameters(max_drift=limit))
    assert verdict.accepted is accepted
    assert verdict.reasons[0 if not accepted else -1].startswith(reason)
    assert "(chance alone gives about 0.0011 on 2,013 rows)" in verdict.reasons[0 if not accepted else -1]
