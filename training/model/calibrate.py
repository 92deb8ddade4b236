"""Platt scaling (Platt 1999): a model's logit z becomes a z + b, where the validation rows show that it is worth it.

The leaves of the trees add up to the logit, so both numbers go into them. The model stays one that LightGBM knows, and
neither service nor explanations need to know about it. The order of the scores, and so the AUC, stays as it is.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from training.model.trees import Trees, with_leaves

SIGNIFICANT = 13.8
"""What twice the gain in log likelihood, chi-squared with two degrees of freedom, exceeds by chance once in 1,000
times."""
DECIMALS = 6
"""Of slope and intercept; more would only differ from machine to machine."""


@dataclass(frozen=True, kw_only=True)
class PlattScaling:
    """What a logit is multiplied by, and what is added then."""

    slope: float
    intercept: float


def fit_scaling(label: npt.NDArray[np.int32], probability: npt.NDArray[np.float64]) -> PlattScaling | None:
    """The scaling that fits rows which the model was not fitted on, [n] each; None where chance would do as much."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - takes seconds, which wrong data must not cost

    order = np.lexsort((label, probability))  # sums over rows depend on their order, and Spark's is any
    clicked, logit = label[order], _logit(probability[order])
    if len(np.unique(clicked)) == 1:
        return None
    fitted = LogisticRegression(penalty=None).fit(logit[:, None], clicked)
    slope, intercept = (round(float(value), DECIMALS) for value in (fitted.coef_[0, 0], fitted.intercept_[0]))
    gain = _log_likelihood(clicked, slope * logit + intercept) - _log_likelihood(clicked, logit)
    if slope <= 0 or 2 * gain < SIGNIFICANT:
        return None
    return PlattScaling(slope=slope, intercept=intercept)


def scaled(model: str, scaling: PlattScaling) -> str:
    """LightGBM's text of the model whose logits are those of `model`, scaled."""
    found = Trees.of(model)
    first, *others = (with_leaves(tree, lambda value: scaling.slope * value) for tree in found.trees)
    first = with_leaves(first, lambda value: value + scaling.intercept)
    return replace(found, trees=(first, *others)).text()


def _logit(probability: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    kept = np.clip(probability, 1e-15, 1 - 1e-15)
    logit: npt.NDArray[np.float64] = np.log(kept / (1 - kept))
    return logit


def _log_likelihood(clicked: npt.NDArray[np.int32], logit: npt.NDArray[np.float64]) -> float:
    return -float(np.logaddexp(0, np.where(clicked == 1, -logit, logit)).sum())
