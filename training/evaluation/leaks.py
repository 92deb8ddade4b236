"""Columns that tell the label all by themselves: most often they were filled in after the click.

The model is not refused for them, as a column may honestly be that good; whoever owns the data is told.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from features.schema import Schema

SUSPICIOUS_AUC = 0.95
"""AUC of a single column from which on it is named. No column of Criteo's rows comes near it."""
ROWS = 20_000
"""Rows that are looked at, at most: enough for two digits of an AUC."""


def warnings(inputs: npt.NDArray[np.float64], label: npt.NDArray[np.int32], schema: Schema) -> tuple[str, ...]:
    """A sentence for each column that alone tells clicks from the rest.

    `inputs` float64[n, p + 2c] are out-of-fold encoded rows in random order, so that a category is judged by the rate
    that other rows give it; `label` is int32[n]. A missing value counts as the lowest.
    """
    label = label[:ROWS]
    if len(np.unique(label)) == 1:
        return ()
    first = [schema.places[column.name].start for column in schema.columns]
    return tuple(_warnings(np.nan_to_num(inputs[:ROWS, first], nan=-np.inf), label, schema))


def _warnings(columns: npt.NDArray[np.float64], label: npt.NDArray[np.int32], schema: Schema) -> Iterator[str]:
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - takes seconds, which wrong data must not cost

    lowest = np.finfo(np.float64).min
    for column, values in zip(schema.columns, np.maximum(columns, lowest).T, strict=True):
        area = float(roc_auc_score(label, np.minimum(values, -lowest)))
        if max(area, 1 - area) >= SUSPICIOUS_AUC:
            yield (
                f"The column {column.name} alone tells clicks from the rest (AUC {max(area, 1 - area):.4f}). If it is "
                "filled in after the click, the model will be useless where it serves: leave the column out."
            )
