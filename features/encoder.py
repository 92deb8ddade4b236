"""The reference encoder: each category value becomes its smoothed target rate and the log of how often it was seen.

All columns share three flat arrays with an offset per column, so that the files can be memory-mapped and all worker
processes share one copy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
import numpy.typing as npt

from features.columns import Column, Fields, Places, Stands, Tables
from features.errors import PersonalizationError
from features.hashing import EACH, Categories, Hashes, RowOfEach, Several
from features.schema import Schema

FOLDER = "encoder"
_VECTORS = ("first", "second")


@dataclass(frozen=True, kw_only=True)
class Factors:
    """The vectors of two columns, named by their index in the encoder.

    `first`, float32[v + 1, d], has a vector for each of the column's v values in the encoder, and a last one for all
    other values. `second`, float32[w + 1, d], has the same for the other column.
    """

    columns: tuple[int, int]
    first: npt.NDArray[np.float32]
    second: npt.NDArray[np.float32]

    def products(self, first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """The dot products, float32[n], of the vectors at these places of the two columns, int64[n] each.

        Summed in order and in double precision, where a product of two float32 is exact, so that C gets the same
        result. NumPy's `cumsum` keeps the order; its `sum` does not.
        """
        sums: npt.NDArray[np.float64] = np.cumsum(self.first[first].astype(np.float64) * self.second[second], axis=1)
        return sums[:, -1].astype(np.float32)


class EncoderError(PersonalizationError):
    """An encoder that cannot be read, or whose parts do not fit together."""


class _Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    columns: tuple[str, ...]
    offsets: tuple[int, ...]
    unseen: tuple[tuple[float, float], ...]
    factors: tuple[int, int] | None = None
    """The two columns that have factors, if any have."""


@dataclass(frozen=True, kw_only=True)
class RawRows:
    """n rows before encoding: `fields` has the values of each of the `Schema.fields`."""

    schema: Schema
    fields: Fields

    def __len__(self) -> int:
        """How many rows there are."""
        first = self.fields[0]
        return first.rows if isinstance(first, Several) else len(first)

    @classmethod
    def of_records(cls, schema: Schema, records: Sequence[Sequence[Any]]) -> Self:
        """The records of requests, each with its values in the order of `Schema.fields`."""
        columns = zip(schema.fields, zip(*records, strict=True), strict=True)
        return cls(schema=schema, fields=[one.read(values) for one, values in columns])

    def of(self, schema: Schema) -> "RawRows":
        """The same rows for another schema, all of whose fields they have."""
        places = map(self.schema.features.index, schema.features)
        return RawRows(schema=schema, fields=[self.fields[place] for place in places])

    def values(self, index: int) -> Categories:
        """The values of the encoder's column `index`."""
        return self.schema.encoded[index].values(self.fields)

    def encode(self, tables: Tables) -> npt.NDArray[np.float64]:
        """The model's inputs, float64[n, f], in the order of `Schema.encoded_features`, looked up in `tables`."""
        encoded = np.empty((len(self), len(self.schema.encoded_features)), dtype=np.float64)
        self.fill(encoded, self.schema.columns, tables)
        return encoded

    def fill(self, encoded: npt.NDArray[np.float64], columns: Sequence[Column], tables: Tables) -> None:
        """Write the inputs of these columns to their places in `encoded`, float64[n, f]."""
        for column in columns:
            own = encoded[:, self.schema.places[column.name]]
            for place, values in enumerate(column.encode(self.fields, tables)):
                own[:, place] = values


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """The sorted value hashes of each categorical column with their rates and log counts.

    `hashes` int64[v], `rates` float32[v] and `log_counts` float32[v] hold column `i` at
    `offsets[i]:offsets[i + 1]`, hashes ascending within a column. `unseen` float32[c, 2] is (rate, log count) for a
    value that is not in its column's table.
    """

    columns: tuple[str, ...]
    offsets: npt.NDArray[np.int64]
    hashes: npt.NDArray[np.int64]
    rates: npt.NDArray[np.float32]
    log_counts: npt.NDArray[np.float32]
    unseen: npt.NDArray[np.float32]
    factors: Factors | None = None

    def __post_init__(self) -> None:
        """Raise `EncoderError` if the arrays do not fit together, or one does not have its type."""
        ends = self.offsets.tolist()
        arrays = (self.hashes, self.rates, self.log_counts)
        lengths = {*(len(array) for array in arrays), *ends[-1:]}
        columns = {len(self.columns), len(ends) - 1, len(self.unseen)}
        types = [f"{array.ndim} {array.dtype}" for array in arrays] == ["1 int64", "1 float32", "1 float32"]
        if len(lengths) != 1 or len(columns) != 1 or ends != sorted([0, *ends[1:]]) or not types:
            raise EncoderError(
                f"The encoder's arrays do not fit together: {len(self.columns)} columns, {len(self.offsets)} offsets, "
                f"lengths {sorted(lengths)}. Train the model again."
            )
        if self.factors is not None:
            vectors = (self.factors.first, self.factors.second)
            found, width = tuple(one.shape for one in vectors), vectors[0].shape[1:2]
            known = all(0 <= column < len(self.columns) for column in self.factors.columns)
            needed = tuple((self.places(column) + 1, *width) for column in self.factors.columns if known)
            if found != needed or not width or any(one.dtype != np.float32 for one in vectors):
                raise EncoderError(
                    f"The encoder's factors do not fit its columns: vectors of {found}, but {needed} are needed. "
                    "Train the model again."
                )

    def fitting(self, schema: Schema) -> Self:
        """This encoder; raises `EncoderError` for a schema with other columns, for which the kernel has no tables."""
        pair = schema.factored
        factored = None if pair is None else (pair.first.index, pair.second.index)
        if (self.columns, self.factors and self.factors.columns) != (schema.categories, factored):
            raise EncoderError(
                f"The encoder has the columns {', '.join(self.columns)}, and the schema "
                f"{', '.join(schema.categories)}, or they have factors of others. Train the model again."
            )
        return self

    def places(self, index: int) -> int:
        """How many values column `index` has."""
        return int(self.offsets[index + 1] - self.offsets[index])

    def column(self, index: int) -> slice:
        """The part of `hashes`, `rates` and `log_counts` that belongs to column `index`."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def place(self, index: int, hashes: Hashes) -> Places:
        """The places, int64[m] from 0, of values with these hashes in column `index`; one past the last if unknown."""
        table = self.hashes[self.column(index)]
        if len(table) == 0:
            return np.zeros(len(hashes), dtype=np.int64)
        position = np.minimum(np.searchsorted(table, hashes), len(table) - 1)
        return np.where(table[position] == hashes, position, len(table))

    def lookup(self, index: int, places: Places, _row: RowOfEach = EACH) -> tuple[Stands, Stands]:
        """Rate and log count, float32[m] each, of the values at these places of column `index`."""
        rate, log_count = (np.full(len(places), value, dtype=np.float32) for value in self.unseen[index])
        seen = places < self.places(index)
        position = places[seen] + self.offsets[index]
        rate[seen], log_count[seen] = self.rates[position], self.log_counts[position]
        return rate, log_count

    def products(self, first: Places, second: Places) -> Stands:
        """The factors' predictions, float32[n], for pairs of values at these places of their two columns."""
        if self.factors is None:
            raise EncoderError("The schema names factors, but the encoder has none. Train the model again.")
        return self.factors.products(first, second)

    def save(self, bundle: Path) -> None:
        """Write the encoder's files into the folder `encoder` of a bundle."""
        folder = bundle / FOLDER
        folder.mkdir(parents=True)
        layout = _Layout(
            columns=self.columns,
            offsets=tuple(self.offsets.tolist()),
            unseen=tuple((float(rate), float(log_count)) for rate, log_count in self.unseen),
            factors=None if self.factors is None else self.factors.columns,
        )
        (folder / "layout.json").write_bytes(msgspec.json.encode(layout))
        for name in ("hashes", "rates", "log_counts"):
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)
        if self.factors is not None:
            for name in _VECTORS:
                np.save(folder / f"{name}_vectors.npy", getattr(self.factors, name), allow_pickle=False)

    @classmethod
    def load(cls, bundle: Path, *, mapped: bool = True) -> Self:
        """The encoder of a bundle, memory-mapped, or read where files can't be mapped or other machines get it.

        Raises `EncoderError` if a file is missing or unreadable.
        """

        def read(file: Path) -> npt.NDArray[Any]:
            # A plain array on the same memory: each index into a `memmap` would take three times as long.
            return np.asarray(np.load(file, mmap_mode="r" if mapped else None, allow_pickle=False))

        folder = bundle / FOLDER
        try:
            layout = msgspec.json.decode((folder / "layout.json").read_bytes(), type=_Layout)
            hashes, rates, log_counts = (read(folder / f"{name}.npy") for name in ("hashes", "rates", "log_counts"))
            factors = None
            if layout.factors is not None:
                first, second = (read(folder / f"{name}_vectors.npy") for name in _VECTORS)
                factors = Factors(columns=layout.factors, first=first, second=second)
            return cls(
                columns=layout.columns,
                offsets=np.asarray(layout.offsets, dtype=np.int64),
                hashes=hashes,
                rates=rates,
                log_counts=log_counts,
                unseen=np.asarray(layout.unseen, dtype=np.float32).reshape(len(layout.columns), 2),
                factors=factors,
            )
        except (OSError, EOFError, ValueError, msgspec.DecodeError) as error:
            raise EncoderError(f"The encoder in {folder} cannot be read: {error}. Train the model again.") from error
