"""Pooled counts by their definition, in memory, to compare with training's."""

import numpy as np

from features.encoder import Counts, PooledCounts


def pooled(counts: Counts, *, columns: int, min_category_rows: int, min_pooled_values: int = 1) -> PooledCounts:
    """Pool the values of each of the `columns` categorical columns that fewer than `min_category_rows` rows have.

    Columns with fewer such values than `min_pooled_values` have no pool.
    """
    rare_values = np.bincount(counts.column[counts.rows < min_category_rows], minlength=columns)
    own = (counts.rows >= min_category_rows) | (rare_values < min_pooled_values)[counts.column]
    kept, rare = (
        Counts(
            column=counts.column[chosen],
            hash=counts.hash[chosen],
            rows=counts.rows[chosen],
            clicks=counts.clicks[chosen],
        )
        for chosen in (own, ~own)
    )
    rows, clicks = (
        np.array([sums[rare.column == column].sum() for column in range(columns)], dtype=np.int64)
        for sums in (rare.rows, rare.clicks)
    )
    return PooledCounts(kept=kept, rare_rows=rows, rare_clicks=clicks)
