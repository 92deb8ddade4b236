"""What a worker scores beside what its model was trained on: population stability indices, from a sample of the rows.

The request path only keeps a reference to arrays that it made anyway, and only until enough rows are there.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from features.reference import Reference, column_values, stability_index
from features.schema import Schema

BATCH_ROWS = 1_000
"""Rows that are compared together: fewer would show little but chance."""
BATCH_SECONDS = 5.0
"""How often a batch is taken at most. A comparison takes a millisecond or two."""
KEPT = 0.95
"""Share of the earlier batches' weight that each new one leaves: the figures are about the last 20,000 rows."""
Weights = npt.NDArray[np.floating[Any]]
"""Rows in each bin of a histogram, [k]; earlier ones count less."""


class Watch:
    """Compares a sample of a model's rows with its reference; without one it does nothing."""

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
        """The columns that are watched."""

    def see(self, inputs: npt.NDArray[np.float64], probabilities: Sequence[float]) -> None:
        """Remember scored rows, inputs float64[n, m], if some are wanted."""
        if self._wanted > 0:
            if len(probabilities) > self._wanted:  # a copy, as a part would keep the whole array
                inputs, probabilities = inputs[: self._wanted].copy(), probabilities[: self._wanted]
            self._wanted -= len(probabilities)
            self._seen.append((inputs, probabilities))

    def compare(self) -> tuple[int, float, dict[str, float]] | None:
        """Rows compared, the prediction's index and each column's, when a batch is there and its time has come."""
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
