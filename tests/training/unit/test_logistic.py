"""Logistic regression is scikit-learn's own, with and without a ridge, to a few digits more than anybody shows."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from training.model.logistic import fit_logistic


@pytest.mark.parametrize("ridge", [0.0, 1e-5, 0.1])
def test_the_coefficients_are_scikit_learns(ridge: float) -> None:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(3_000, 4))
    inputs[:, 3] = inputs[:, 2] + 0.1 * inputs[:, 3]  # two that nearly say the same
    clicked = generator.random(3_000) < 1 / (1 + np.exp(1.5 - inputs @ [0.5, -1, 0.3, 0.2]))
    penalty = {"penalty": None} if ridge == 0 else {"C": 1 / (len(inputs) * ridge)}
    expected = LogisticRegression(**penalty, tol=1e-10, max_iter=10_000).fit(inputs, clicked)
    weights, intercept = fit_logistic(inputs, clicked, ridge=ridge)
    np.testing.assert_allclose(weights, expected.coef_[0], atol=1e-3)
    assert intercept == pytest.approx(expected.intercept_[0], abs=1e-4)


def test_logits_beyond_what_an_exponential_holds_do_no_harm() -> None:
    logit = np.random.default_rng(0).normal(size=(1_000, 1))
    clicked = np.random.default_rng(1).random(1_000) < 1 / (1 + np.exp(-logit[:, 0]))
    weights, _ = fit_logistic(1_000 * logit, clicked)
    assert 1_000 * weights[0] == pytest.approx(
        LogisticRegression(penalty=None).fit(logit, clicked).coef_[0, 0], rel=0.01
    )
