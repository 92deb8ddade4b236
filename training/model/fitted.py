"""A fitted model, whoever fitted it."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.schema import Schema
from training.model.calibrate import PlattScaling
from training.parameters import TrainingParameters
from training.progress import Progress

STAGE = "fit"
"""The stage that fitting reports under."""
REFIT_ROWS = 200_000
"""Up to so many rows the validation rows are too many to lose: once they have told how many trees are best, the model
is fitted again on all rows. On 10,000 real rows that is worth 0.001 of log loss; on a million it would be noise."""
AVERAGED_ROWS = 50_000
"""Up to so many rows it is fitted again several times, and the mean of those models is taken (decision 31)."""


Predict = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
"""Inputs float64[n, m] to probabilities float64[n]."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A fitted model as LightGBM's own text, and what it says of inputs.

    `losses` is the validation log loss after each iteration, empty where the executors' log is out of reach; `scaling`
    what its probabilities were corrected by; `importance` the total gain of each encoded feature.
    """

    text: str
    predict: Predict
    best_iteration: int
    losses: tuple[float, ...]
    scaling: PlattScaling | None
    importance: dict[str, float]


class FitProgress:
    """The validation log loss after each iteration, reported as they come."""

    def __init__(self, progress: Progress, iterations: int) -> None:
        """Of so many iterations at most, none is done."""
        self.losses: list[float] = []
        self._progress = progress
        self._iterations = iterations
        self._first_seen = (0.0, 0)

    def __call__(self, *losses: float) -> None:
        """Report that further iterations have ended with these losses."""
        if not losses:
            return
        now = time.monotonic()
        before = len(self.losses)
        self.losses += losses
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
    """The seed of each model that is fitted again on all of `rows` rows; the mean of them is the model.

    It is one where no features are drawn at random, so that all of them would be the same.
    """
    if rows > REFIT_ROWS:
        return ()
    drawn = min(parameters.feature_fraction, parameters.feature_fraction_by_node) < 1
    models = parameters.averaged_models if drawn and rows <= AVERAGED_ROWS else 1
    return tuple(parameters.seed + number for number in range(models))


def refitting(trees: int, seeds: Sequence[int]) -> str:
    """What is reported while models of so many trees are fitted again with these seeds."""
    models = f"for each of {len(seeds)} models" if len(seeds) > 1 else "again"
    return f"fit {trees} trees {models}, on the validation rows too"


def slot_names(schema: Schema) -> list[str]:
    """The inputs' names in the model file, where only the order counts: LightGBM takes no JSON and no name twice."""
    names: list[str] = []
    for index, name in enumerate(schema.encoded_features):
        plain = re.sub(r"[^A-Za-z0-9_.]", "_", name)
        names.append(plain if plain not in names else f"{plain}_{index}")
    return names
