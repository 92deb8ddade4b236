"""Counts as training pools them on Spark, by the definition and in memory."""

import numpy as np

from features.counts import Counts, PooledCounts


def pooled(counts: Counts, *, columns: int, min_category_rows: int) -> PooledCounts:
    """Pool the values of each of the `columns` categorical columns that fewer than `min_category_rows` rows have."""
    kept, rare = (
        Counts(
            column=counts.column[chosen],
            hash=counts.hash[chosen],
            rows=counts.rows[chosen],
            clicks=counts.clicks[chosen],
        )
        for chosen in (counts.rows >= min_category_rows, counts.rows < min_category_rows)
    )
    rows, clicks = (
        np.array([sums[rare.column == column].sum() for column in range(columns)], dtype=np.int64)
        for sums in (rare.rows, rare.clicks)
    )
    return PooledCounts(kept=kept, rare_rows=rows, rare_clicks=clicks)
