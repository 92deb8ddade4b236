"""Warns of target leakage: columns that predict the label alone, most often because they are filled in after the click.

The model is not rejected for it, because a column may really be that good.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from features.schema import Schema

SUSPICIOUS_AUC = 0.95
"""AUC of a single column that causes a warning. No column of Criteo's rows comes near it."""
ROWS = 20_000
"""The most rows to examine; enough for two digits of an AUC."""


def warnings(inputs: npt.NDArray[np.float64], label: npt.NDArray[np.int32], schema: Schema) -> tuple[str, ...]:
    """A sentence for each column that predicts the label alone.

    `inputs` float64[n, p + 2c] are out-of-fold encoded rows in random order, so a category is judged by its rate among
    other rows; `label` is int32[n]. A missing value counts as the lowest.
    """
    label = label[:ROWS]
    if len(np.unique(label)) == 1:
        return ()
    first = [schema.places[column.name].start for column in schema.columns]
    return tuple(_warnings(np.nan_to_num(inputs[:ROWS, first], nan=-np.inf), label, schema))


def _warnings(columns: npt.NDArray[np.float64], label: npt.NDArray[np.int32], schema: Schema) -> Iterator[str]:
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - takes seconds; wrong data is reported before

    lowest = np.finfo(np.float64).min
    for column, values in zip(schema.columns, np.maximum(columns, lowest).T, strict=True):
        area = float(roc_auc_score(label, np.minimum(values, -lowest)))
        if max(area, 1 - area) >= SUSPICIOUS_AUC:
            yield (
                f"The column {column.name} alone predicts the label (AUC {max(area, 1 - area):.4f}). If it is "
                "filled in after the click, the model will be useless where it serves: leave the column out."
            )
