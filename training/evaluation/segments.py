"""The quality of a model by segment of the held-out rows: those that share a frequent value of a categorical column,
and those of users and items that the model knew or did not.

A model can be right on average and wrong for one country. Segments are scored in the same pass as the held-out rows. If
a column has several values per field, a row is in the segment of each of its frequent values. A model knew the users
and items with a click rate of their own: keys with fewer rows than a rate needs are encoded as new ones.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import pdtr, pdtrc

from features.encoder import Encoder, RawRows
from features.hashing import Several, hash_value
from features.schema import Schema
from training.evaluation.metrics import (
    DECIMALS,
    Clicked,
    Numbers,
    calibration_error,
    entropy,
    in_order,
    losses,
    reliability,
)
from training.kernels.columns import RAW, raw_columns, raw_rows
from training.kernels.kernel import Kernel
from training.protocols import Scannable

SHOWN_LENGTH = 40
"""How many characters of a value are kept."""
_FOUND = pa.schema([("column", pa.int32()), ("hash", pa.int64()), ("text", pa.string())])


def naming(schema: Schema, wanted: Sequence[tuple[int, int]]) -> Kernel:
    """Finds the beginnings of the wanted values, given by column index and hash, in rows with `RAW`."""
    return Kernel(
        columns=(RAW, *raw_columns(schema)),
        schema=_FOUND,
        function=_Naming(schema=schema, wanted=tuple(wanted)),
        by=("column", "hash"),
        merged={"text": "max"},
    )


@dataclass(frozen=True, kw_only=True)
class _Naming:
    schema: Schema
    wanted: tuple[tuple[int, int], ...]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        found: dict[tuple[int, int], str] = {}
        for batch in batches:
            texts, *columns = batch.columns
            rows = raw_rows(columns, self.schema)
            for index, value in (one for one in self.wanted if one not in found):
                values = rows.values(index)
                hashes, row_of = values if isinstance(values, Several) else (values, np.arange(len(values)))
                places = np.flatnonzero(hashes == value)
                if len(places):
                    column, record = self.schema.texts[index], texts[int(row_of[places[0]])].as_py()
                    own = column.split(list(record.values())[index])
                    found[index, value] = next(text for text in own if hash_value(text) == value)[:SHOWN_LENGTH]
        named = [{"column": index, "hash": value, "text": text} for (index, value), text in found.items()]
        yield pa.RecordBatch.from_pylist(named, schema=_FOUND)


COLUMNS = 10
"""The most columns to segment by: those with the highest gain."""
VALUES = 5
"""How many of a column's most frequent values get a segment; all other values share one more."""
FIRST_ROWS = 10_000
"""Frequent values are searched in a sample first, which avoids a pass over all rows."""
BEYOND_CHANCE = 3.2e-5
"""A segment is off if so few or so many clicks are less probable than this. With 60 segments of a calibrated model,
that happens by chance in one of 250 runs."""
MATERIAL = 0.1
"""The difference must also be this share of the predicted clicks: on millions of rows everything is beyond chance."""


@dataclass(frozen=True, kw_only=True)
class SlicedColumn:
    """A column by its index in `Schema.categories`, and the hashes of its frequent values, int64[k]."""

    index: int
    hashes: npt.NDArray[np.int64]

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
    normalized_entropy: float | None
    """Log loss relative to that of the segment's click rate; None as for `auc`."""
    calibration_error: float
    off: bool
    """Whether the clicks differ from the prediction beyond chance, and enough to matter."""

    @property
    def click_rate(self) -> float:
        """Share of the rows that were clicked."""
        return self.clicks / self.rows


def choose(encoder: Encoder, schema: Schema, importance: Mapping[str, float]) -> tuple[SlicedColumn, ...]:
    """The columns to segment by, chosen by their gain in `importance`, with their frequent values."""
    gains = [sum(importance[name] for name in column.inputs) for column in schema.texts]
    by_gain = sorted(range(len(gains)), key=lambda index: -gains[index])
    tables = ((index, encoder.column(index)) for index in by_gain)
    return tuple(
        SlicedColumn(index=index, hashes=encoder.hashes[table][_most_frequent(encoder.log_counts[table])])
        for index, table in tables
        if table.start < table.stop
    )[:COLUMNS]


def keys_among(schema: Schema, names: Sequence[str]) -> tuple[KnownOrNew, ...]:
    """The keys among `names` that are features, with one value in a field."""
    return tuple(
        KnownOrNew(index=column.index) for column in schema.texts if column.name in names and not column.separator
    )


def value_names(held_out: Scannable, schema: Schema, columns: Sequence[SlicedColumn]) -> list[list[str]]:
    """The text of each value of each of the `columns`, shortened to its first characters.

    "" for a value that occurs in no row.
    """
    wanted = [[(column.index, int(value)) for value in column.hashes] for column in columns]
    names: dict[tuple[int, int], str] = {}
    for first in (FIRST_ROWS, None):
        if missing := [value for own in wanted for value in own if value not in names]:
            found = held_out.scan(naming(schema, missing), first=first)
            names |= {(row["column"], row["hash"]): row["text"] for row in found.to_pylist()}
    return [[names.get(value, "") for value in own] for own in wanted]


def measure_segments(
    clicked: Clicked, probability: Numbers, bits: npt.NDArray[np.int8], *, column: str, names: Sequence[str]
) -> list[Slice]:
    """The segments of a column that have rows, from all n rows and their `bits`; `names` are those of its values."""
    rows_of = ((name, (bits >> place) & 1 == 1) for place, name in enumerate([*names, None]))
    return [_measured(clicked[rows], probability[rows], column, name) for name, rows in rows_of if rows.any()]


def _most_frequent(log_counts: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    return np.argsort(-log_counts, kind="stable")[:VALUES]


def _measured(clicked: Clicked, probability: Numbers, column: str, value: str | None) -> Slice:
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - takes seconds; wrong data is reported before

    clicked, probability = in_order(clicked, probability)
    rows, clicks, expected = len(clicked), int(clicked.sum()), float(probability.sum())
    mixed = 0 < clicks < rows
    log_loss = float(losses(clicked, probability).mean())
    error, _ = calibration_error(reliability(clicked, probability))
    return Slice(
        column=column,
        value=value,
        rows=rows,
        clicks=clicks,
        mean_probability=round(expected / rows, DECIMALS),
        auc=round(float(roc_auc_score(clicked, probability)), DECIMALS) if mixed else None,
        log_loss=round(log_loss, DECIMALS),
        normalized_entropy=round(log_loss / entropy(clicks / rows), DECIMALS) if mixed else None,
        calibration_error=round(error, DECIMALS),
        off=_is_off(clicks, expected),
    )


def _is_off(clicks: int, expected: float) -> bool:
    """Judged by the Poisson distribution's tail: where few clicks are expected, a normal one would be far too thin."""
    tail = pdtr(clicks, expected) if clicks < expected else pdtrc(clicks - 1, expected)
    return bool(tail < BEYOND_CHANCE and abs(clicks - expected) > MATERIAL * expected)
