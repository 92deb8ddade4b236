"""Drift: population stability indices of a sample of a worker's rows against the model's baseline sample.

The request path only keeps references to arrays that it made anyway, until there are enough rows.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from features.reference import Reference, column_values, stability_index
from features.schema import Schema

BATCH_ROWS = 1_000
"""How many rows are compared together. With fewer, chance would dominate."""
BATCH_SECONDS = 5.0
"""The shortest time between two comparisons, which take a millisecond or two each."""
KEPT = 0.95
"""By how much each batch reduces the weight of earlier ones: the figures reflect about the last 20,000 rows."""
Weights = npt.NDArray[np.floating[Any]]
"""Weighted row counts of a histogram's bins, [k]; earlier rows count less."""


class Watch:
    """Compares a sample of the scored rows with the model's baseline sample; does nothing if there is none."""

    def __init__(self, schema: Schema, reference: Reference | None) -> None:
        self._schema = schema
        self._reference = reference
        self._wanted = 0 if reference is None else BATCH_ROWS
        self._next = time.monotonic()
        self._seen: list[tuple[npt.NDArray[np.float64], Sequence[float]]] = []
        columns = {} if reference is None else reference.columns
        places = {column.name: place for place, column in enumerate(schema.columns)}
        self._columns = [(places[name], histogram) for name, histogram in columns.items()]
        self._counts: list[Weights] = [np.zeros(len(histogram.rows)) for histogram in columns.values()]
        self._prediction: Weights = np.zeros(0 if reference is None else len(reference.prediction.rows))
        self.names = tuple(columns)
        """The columns whose drift is measured."""

    def see(self, inputs: npt.NDArray[np.float64], probabilities: Sequence[float]) -> None:
        """Keep scored rows, inputs float64[n, m], if more are needed."""
        if self._wanted > 0:
            if len(probabilities) > self._wanted:  # copied, since a slice would keep the whole array alive
                inputs, probabilities = inputs[: self._wanted].copy(), probabilities[: self._wanted]
            self._wanted -= len(probabilities)
            self._seen.append((inputs, probabilities))

    def compare(self) -> tuple[int, float, dict[str, float]] | None:
        """The number of compared rows, and the index of the prediction and of each column; None if no batch is due."""
        if self._reference is None or self._wanted > 0 or time.monotonic() < self._next:
            return None
        inputs = np.concatenate([inputs for inputs, _ in self._seen])
        probabilities = np.concatenate([probabilities for _, probabilities in self._seen])
        self._seen.clear()
        self._wanted = BATCH_ROWS
        self._next = time.monotonic() + BATCH_SECONDS
        values = column_values(self._schema, inputs)
        self._prediction = KEPT * self._prediction + self._reference.prediction.count(probabilities)
        indices = {}
        for place, (name, (index, histogram)) in enumerate(zip(self.names, self._columns, strict=True)):
            self._counts[place] = KEPT * self._counts[place] + histogram.count(values[:, index])
            indices[name] = stability_index(histogram.rows, self._counts[place])
        return len(inputs), stability_index(self._reference.prediction.rows, self._prediction), indices
