"""The quality of a model by segment of the held-out rows: those that share a frequent value of a categorical column,
and those of users and items that the model knew or did not.

A model can be right on average and wrong for one country. Segments are scored in the same pass as the held-out rows. If
a column has several values per field, a row is in the segment of each of its frequent values. A model knew the users
and items with a click rate of their own: keys with fewer rows than a rate needs are encoded as new ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import pdtr, pdtrc

from features.columns import Category
from features.encoder import Encoder, RawRows
from features.hashing import Several, hash_value
from features.schema import Schema
from training.evaluation.metrics import (
    DECIMALS,
    Clicked,
    Numbers,
    calibration_error,
    in_order,
    losses,
    reliability,
)

SHOWN_LENGTH = 40
"""How many characters of a value are kept."""
COLUMNS = 10
"""The most columns to segment by: those with the highest gain."""
VALUES = 5
"""How many of a column's most frequent values get a segment; all other values share one more."""
BEYOND_CHANCE = 3.2e-5
"""A segment is off if so few or so many clicks are less probable than this. With 60 segments of a calibrated model,
that happens by chance in one of 250 runs."""
MATERIAL = 0.1
"""The difference must also be this share of the predicted clicks: on millions of rows everything is beyond chance."""


@dataclass(frozen=True, kw_only=True)
class SlicedColumn:
    """A column by its index in `Schema.categories`, and the hashes and names of its k frequent values."""

    index: int
    hashes: tuple[int, ...]
    names: tuple[str, ...]

    def bits(self, all_rows: RawRows, _encoder: Encoder) -> npt.NDArray[np.int8]:
        """The segments of n rows, int8[n]: bits 0 to k - 1 by value, bit k for rows with none of the values."""
        values = all_rows.values(self.index)
        hashes, row = values if isinstance(values, Several) else (values, np.arange(len(values)))
        bits = np.zeros(len(all_rows), np.int8)
        for place, value in enumerate(self.hashes):
            bits[row[hashes == value]] |= 1 << place
        bits[bits == 0] = 1 << len(self.hashes)
        return bits


@dataclass(frozen=True, kw_only=True)
class KnownOrNew:
    """A key by its index in `Schema.categories`: the rows of users or items that the model knew, and the others."""

    index: int
    names: ClassVar[tuple[str, ...]] = ("known", "new")

    def bits(self, all_rows: RawRows, encoder: Encoder) -> npt.NDArray[np.int8]:
        """The segments of n rows, int8[n]: bit 0 for known ones, bit 1 for new ones."""
        values = all_rows.values(self.index)
        hashes = values.hashes if isinstance(values, Several) else values  # keys have one value in a field
        is_new = encoder.place(self.index, hashes) == encoder.places(self.index)
        return np.where(is_new, np.int8(2), np.int8(1))


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The metrics on held-out rows with one value of a column; `value` is "" for missing, None for all others."""

    column: str
    value: str | None
    rows: int
    clicks: int
    mean_probability: float
    auc: float | None
    """None if all rows have the same label."""
    log_loss: float
    calibration_error: float
    off: bool
    """Whether the clicks differ from the prediction beyond chance, and enough to matter."""

    @property
    def click_rate(self) -> float:
        """Share of the rows that were clicked."""
        return self.clicks / self.rows


def choose(
    encoder: Encoder,
    schema: Schema,
    importance: Mapping[str, float],
    texts: Sequence[pa.StringArray],
    user: str | None = None,
) -> tuple[SlicedColumn, ...]:
    """The columns to segment by, chosen by their gain in `importance`, with the most frequent of their values that are
    in `texts`, the fields of some rows by column.

    Not the column `user`, which has users' keys: nothing in a bundle is about a single user.
    """
    by_gain = sorted(schema.texts, key=lambda column: -sum(importance[name] for name in column.inputs))
    known = [column for column in by_gain if encoder.places(column.index) and column.name != user]
    return tuple(_sliced(column, encoder, texts[column.index]) for column in known[:COLUMNS])


def _sliced(column: Category, encoder: Encoder, texts: pa.StringArray) -> SlicedColumn:
    values = {value for text in texts.unique().to_pylist() for value in column.split(text)}
    names = {hash_value(value): value[:SHOWN_LENGTH] for value in values}
    table = encoder.column(column.index)
    by_count = encoder.hashes[table][np.argsort(-encoder.log_counts[table], kind="stable")]
    hashes = tuple(islice((one for one in by_count.tolist() if one in names), VALUES))
    return SlicedColumn(index=column.index, hashes=hashes, names=tuple(names[one] for one in hashes))


def keys_among(schema: Schema, names: Sequence[str]) -> tuple[KnownOrNew, ...]:
    """The keys among `names` that are features, with one value in a field."""
    return tuple(
        KnownOrNew(index=column.index) for column in schema.texts if column.name in names and not column.separator
    )


def measure_segments(
    clicked: Clicked, probability: Numbers, bits: npt.NDArray[np.int8], *, column: str, names: Sequence[str]
) -> list[Slice]:
    """The segments of a column that have rows, from all n rows and their `bits`; `names` are those of its values."""
    rows_of = ((name, (bits >> place) & 1 == 1) for place, name in enumerate([*names, None]))
    return [_measured(clicked[rows], probability[rows], column, name) for name, rows in rows_of if rows.any()]


def _measured(clicked: Clicked, probability: Numbers, column: str, value: str | None) -> Slice:
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - takes seconds; wrong data is reported before

    clicked, probability = in_order(clicked, probability)
    rows, clicks, expected = len(clicked), int(clicked.sum()), float(probability.sum())
    mixed = 0 < clicks < rows
    error, _ = calibration_error(reliability(clicked, probability))
    # By the Poisson distribution's tail: where few clicks are expected, a normal one would be far too thin.
    tail = pdtr(clicks, expected) if clicks < expected else pdtrc(clicks - 1, expected)
    return Slice(
        column=column,
        value=value,
        rows=rows,
        clicks=clicks,
        mean_probability=round(expected / rows, DECIMALS),
        auc=round(float(roc_auc_score(clicked, probability)), DECIMALS) if mixed else None,
        log_loss=round(float(losses(clicked, probability).mean()), DECIMALS),
        calibration_error=round(error, DECIMALS),
        off=bool(tail < BEYOND_CHANCE and abs(clicks - expected) > MATERIAL * expected),
    )
