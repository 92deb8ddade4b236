"""A fitted model, and what all fits share."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt

from features.schema import Schema
from training.model.calibrate import PlattScaling
from training.parameters import TrainingParameters
from training.progress import Progress

STAGE = "fit"
"""The stage name in progress reports."""
REFIT_ROWS = 200_000
"""Up to this many rows, the model is fitted again on all rows, including validation rows, once early stopping has found
the number of trees. That lowers the log loss by 0.001 on 10,000 real rows; on a million the gain would be noise."""
DECIMALS = 9
"""Decimals of the validation losses; further ones depend on the number of threads, and the losses stop a fit."""
AVERAGED_ROWS = 50_000
"""Up to this many rows, several models are fitted again and averaged (docs/explanation/decisions.md)."""


Predict = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
"""Inputs float64[n, m] to probabilities float64[n]."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A fitted model as LightGBM's text, and its prediction function.

    `scaling` is the Platt scaling, if any; `importance` is the total gain of each encoded feature.
    """

    text: str
    predict: Predict
    best_iteration: int
    scaling: PlattScaling | None
    importance: dict[str, float]


class FitProgress:
    """Collects and reports the validation log loss of each iteration."""

    def __init__(self, progress: Progress, iterations: int) -> None:
        """Expect up to `iterations` iterations."""
        self.losses: list[float] = []
        self._progress = progress
        self._iterations = iterations
        self._first_seen = (0.0, 0)

    def __call__(self, *losses: float) -> None:
        """Report the losses of further iterations, rounded."""
        if not losses:
            return
        now = time.monotonic()
        before = len(self.losses)
        self.losses += (round(loss, DECIMALS) for loss in losses)
        done = len(self.losses)
        if before == 0:
            self._first_seen = (now, done)
        started, counted = self._first_seen
        left = (now - started) / (done - counted) * (self._iterations - done) if done > counted else None
        self._progress(
            STAGE,
            f"iteration {done} of {self._iterations}, validation log loss {self.losses[-1]:.4f}",
            done=done,
            total=self._iterations,
            seconds_left=left,
        )


def seeds_of_refits(parameters: TrainingParameters, *, rows: int) -> tuple[int, ...]:
    """The seed of each model that is fitted again on all `rows` rows and averaged.

    There is only one if no features are sampled, because all models would be equal.
    """
    if rows > REFIT_ROWS:
        return ()
    drawn = min(parameters.feature_fraction, parameters.feature_fraction_by_node) < 1
    models = parameters.averaged_models if drawn and rows <= AVERAGED_ROWS else 1
    return tuple(parameters.seed + number for number in range(models))


def refitting(trees: int, seeds: Sequence[int]) -> str:
    """The progress message while models are fitted again with these seeds."""
    models = f"for each of {len(seeds)} models" if len(seeds) > 1 else "again"
    return f"fit {trees} trees {models}, on the validation rows too"


def slot_names(schema: Schema) -> list[str]:
    """The inputs' names in the model file: unique, and without characters that LightGBM refuses."""
    names: list[str] = []
    for index, name in enumerate(schema.encoded_features):
        plain = re.sub(r"[^A-Za-z0-9_.]", "_", name)
        numbered = (f"{plain}_{number}" for number in count(index))
        names.append(plain if plain not in names else next(one for one in numbered if one not in names))
    return names
