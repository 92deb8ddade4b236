"""Platt scaling (Platt 1999): a model's logit z becomes a z + b if the validation rows show a gain beyond chance.

The leaves of the trees add up to the logit, so both numbers are written into the leaves. The model stays an ordinary
LightGBM model for the service and the explanations. The order of the scores, and so the AUC, does not change.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from training.model.trees import Trees, with_leaves

SIGNIFICANT = 13.8
"""Twice the gain in log likelihood, chi-squared with two degrees of freedom, exceeds this by chance once in 1,000
cases."""
DECIMALS = 6
"""Decimals of slope and intercept; further ones would differ between machines."""


@dataclass(frozen=True, kw_only=True)
class PlattScaling:
    """The slope and intercept that are applied to logits."""

    slope: float
    intercept: float


def fit_scaling(label: npt.NDArray[np.int32], probability: npt.NDArray[np.float64]) -> PlattScaling | None:
    """The scaling fitted on rows that the model has not seen, [n] each; None if the gain may be chance."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - takes seconds; wrong data is reported before

    order = np.lexsort((label, probability))  # sums depend on the order of the rows, which is arbitrary on Spark
    clicked, kept = label[order], np.clip(probability[order], 1e-15, 1 - 1e-15)
    logit = np.log(kept / (1 - kept))
    if len(np.unique(clicked)) == 1:
        return None
    fitted = LogisticRegression(penalty=None).fit(logit[:, None], clicked)
    slope, intercept = (round(float(value), DECIMALS) for value in (fitted.coef_[0, 0], fitted.intercept_[0]))
    gain = _log_likelihood(clicked, slope * logit + intercept) - _log_likelihood(clicked, logit)
    if slope <= 0 or 2 * gain < SIGNIFICANT:
        return None
    return PlattScaling(slope=slope, intercept=intercept)


def scaled(model: str, scaling: PlattScaling) -> str:
    """LightGBM's text of `model` with scaled logits."""
    found = Trees.of(model)
    first, *others = (with_leaves(tree, lambda value: scaling.slope * value) for tree in found.trees)
    first = with_leaves(first, lambda value: value + scaling.intercept)
    return replace(found, trees=(first, *others)).text()


def _log_likelihood(clicked: npt.NDArray[np.int32], logit: npt.NDArray[np.float64]) -> float:
    return -float(np.logaddexp(0, np.where(clicked == 1, -logit, logit)).sum())
