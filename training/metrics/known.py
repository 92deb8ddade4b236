"""The quality of a model on users and items that it knew, and on those that it did not.

It knew those with a click rate of their own. Keys with fewer rows in training than a rate needs are encoded as new ones
are, so they count as new.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from features.encoder import Encoder, RawRows
from features.hashing import EACH, Several
from features.schema import Schema
from training.metrics import curves
from training.metrics.score_counts import InSlices
from training.metrics.slices import Slice, measure_one

KINDS = ("known", "new")
"""The names of a key's two segments, in the order of their numbers."""


@dataclass(frozen=True, kw_only=True)
class KnownOrNew:
    """The rows of users or items that the model knew, and the others: two segments of the rows.

    `index` is the key's place in `Schema.categories`.
    """

    index: int

    def places(self, all_rows: RawRows, encoder: Encoder, *, start: int) -> InSlices:
        """The rows' segments, counted from `start`."""
        values = all_rows.values(self.index)
        hashes = values.hashes if isinstance(values, Several) else values  # keys have one value in a field
        is_new = encoder.place(self.index, hashes) == encoder.places(self.index)
        return InSlices(rows=EACH, slices=is_new.astype(np.int32) + np.int32(start))


def keys_among(schema: Schema, names: Sequence[str]) -> tuple[KnownOrNew, ...]:
    """The keys among `names` that are features, with one value in a field."""
    return tuple(
        KnownOrNew(index=column.index) for column in schema.texts if column.name in names and not column.separator
    )


def measure_keys(
    bins: Mapping[int, curves.ScoreBins], keys: Sequence[KnownOrNew], *, names: Sequence[str], start: int
) -> tuple[Slice, ...]:
    """The segments that have rows; `start` is the number of the first one, `names` are the schema's encoded columns."""
    segments = enumerate(product(keys, KINDS), start=start)
    return tuple(
        measure_one(bins[of], column=names[key.index], value=kind) for of, (key, kind) in segments if of in bins
    )
