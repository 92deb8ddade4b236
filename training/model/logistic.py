"""Logistic regression by SciPy's L-BFGS. scikit-learn would call the same, and takes longer to import than to fit."""

import numpy as np
import numpy.typing as npt

ITERATIONS = 100
SLOPE = 1e-6
"""Largest slope of the loss in any coefficient at which it counts as lowest."""


def fit_logistic(
    inputs: npt.NDArray[np.float64], clicked: npt.NDArray[np.bool_], *, ridge: float = 0.0
) -> tuple[npt.NDArray[np.float64], float]:
    """Weights float64[m] and intercept for inputs float64[n, m] of similar scales and labels bool[n] of both kinds.

    They minimise the mean log loss plus `ridge / 2` times the sum of the squared weights.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - takes half a second, which wrong data must not cost

    def loss(coefficients: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        """The value and its slope in each coefficient, the intercept's last."""
        weights, logit = coefficients[:-1], inputs @ coefficients[:-1] + coefficients[-1]
        of_clicks = np.logaddexp(0, -logit)
        value = np.mean(np.where(clicked, of_clicks, of_clicks + logit)) + ridge / 2 * (weights @ weights)
        off = (np.exp(-of_clicks) - clicked) / len(clicked)
        return float(value), np.append(off @ inputs + ridge * weights, off.sum())

    options = {"maxiter": ITERATIONS, "gtol": SLOPE, "ftol": 0.0}
    found = minimize(loss, np.zeros(inputs.shape[1] + 1), jac=True, method="L-BFGS-B", options=options).x
    return found[:-1], float(found[-1])
