"""The gate accepts a candidate only if every threshold is met, and says by how much."""

from types import MappingProxyType

import msgspec
import numpy as np
import pytest

from training.evaluation.gate import Compared, EarlierVersion, judge
from training.evaluation.metrics import Evaluation, evaluate
from training.parameters import GateParameters

TEMPLATE = evaluate(np.arange(2_013) < 450, np.full(2_013, 0.22))
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
        f"Calibration error 0.0101 is at most 0.0500 (chance by itself gives about {chance:.4f} on 2,013 rows).",
        "Log loss 0.4630 is 0.0670 lower than that of the baseline click rate (0.5300).",
        "Log loss 0.4630 is 0.0070 lower than that of the baseline logistic regression (0.4700).",
        (
            "Log loss 0.4630 is 0.0012 lower than that of the champion (version 3, 0.4642) on the same 2,013 held-out "
            "rows."
        ),
    )


LOGISTIC = "that of the baseline logistic regression (0.4700)"
CHAMPION = "that of the champion (version 3, 0.46"
SAME_ROWS = "on the same 2,013 held-out rows, "
MORE = f"{SAME_ROWS}more than the allowed rise of 0.0020, "


@pytest.mark.parametrize(
    ("ours", "champion", "gate", "reason"),
    [
        ({"auc": 0.5999}, None, {}, "AUC 0.5999 is below 0.6000."),
        (
            {"calibration_error": 0.0501},
            None,
            {},
            "Calibration error 0.0501 is above 0.0500 (chance by itself gives about",
        ),
        ({"log_loss": 0.5}, None, {}, f"Log loss 0.5000 is 0.0300 higher than {LOGISTIC}, but must be lower."),
        ({"log_loss": 0.47}, None, {}, f"Log loss 0.4700 is 0.0000 lower than {LOGISTIC}, but must be lower."),
        (
            {},
            None,
            {"min_log_loss_gain": 0.01},
            f"Log loss 0.4630 is 0.0070 lower than {LOGISTIC}, but must be lower by more than 0.0100.",
        ),
        (
            {},
            earlier(0.46),
            {},
            f"Log loss 0.4630 is 0.0030 higher than {CHAMPION}00) {MORE}and than two standard errors (0.0008).",
        ),
        (
            {},
            earlier(0.46, error=0.0014),
            {},
            f"Log loss 0.4630 is 0.0030 higher than {CHAMPION}00) {MORE}and than two",
        ),
    ],
)
def test_one_missed_threshold_rejects_and_comes_first(
    ours: dict[str, float], champion: EarlierVersion | None, gate: dict[str, float], reason: str
) -> None:
    verdict = judge(measured(**ours), BASELINES, champion, GateParameters.model_validate(gate))
    assert not verdict.accepted
    assert verdict.reasons[0].startswith(reason)


@pytest.mark.parametrize(
    ("champion", "gate", "reason"),
    [
        (None, {}, "There is no champion yet to compare with."),
        (lost(3), {}, "The champion (version 3) is not compared, because it needs the column x."),
        (
            earlier(0.4615),
            {},
            f"Log loss 0.4630 is 0.0015 higher than {CHAMPION}15) {SAME_ROWS}within the allowed rise of 0.0020.",
        ),
        (
            earlier(0.46, error=0.0016),
            {},
            f"Log loss 0.4630 is 0.0030 higher than {CHAMPION}00) {MORE}but within two standard errors (0.0032).",
        ),
    ],
)
def test_what_does_not_reject_is_said_too(champion: EarlierVersion | None, gate: dict[str, float], reason: str) -> None:
    verdict = judge(measured(), BASELINES, champion, GateParameters.model_validate(gate))
    assert verdict.accepted
    assert verdict.reasons[-1] == reason


def test_a_threshold_that_is_just_met_passes() -> None:
    gate = GateParameters(min_auc=0.7, max_calibration_error=0.01)
    assert judge(measured(auc=0.7, calibration_error=0.01), BASELINES, None, gate).accepted
    rise = 2**-9  # in floats 0.25 + rise - 0.25 is rise
    for allowed, error in ((rise, 0.0), (0.0, rise / 2)):
        champion = earlier(0.25, ours=0.25 + rise, error=error)
        assert judge(
            measured(log_loss=0.25 + rise), BASELINES, champion, GateParameters(max_log_loss_rise=allowed)
        ).accepted


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
