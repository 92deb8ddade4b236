"""Categories as numbers: each value becomes its smoothed target rate and the logarithm of how often it was seen.

All columns share three flat arrays with an offset per column, so that the files can be memory-mapped and one copy in
memory serves every worker process.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec
import numpy as np
import numpy.typing as npt

from features.errors import PersonalizationError
from features.factors import Factors

FOLDER = "encoder"
RowOfEach = npt.NDArray[np.int64] | slice
"""The row of each of m values, int64[m], or all rows where each has one value."""
Lookup = Callable[[int, npt.NDArray[np.int64], RowOfEach], tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]
"""Rate and log count, float32[m] each, of the values of a column, given by its index, with these hashes, int64[m]."""
Products = Callable[[npt.NDArray[np.int64], npt.NDArray[np.int64]], npt.NDArray[np.float32]]
"""What factors predict, float32[n], of the values at these places of their two columns, int64[n] each."""
EACH = slice(None)
_VECTORS = ("first", "second")


class EncoderError(PersonalizationError):
    """An encoder whose parts do not fit together."""


class _Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    columns: tuple[str, ...]
    offsets: tuple[int, ...]
    unseen: tuple[tuple[float, float], ...]
    factors: tuple[int, int] | msgspec.UnsetType = msgspec.UNSET
    """The two columns that have factors; unset where none have."""


class Several(NamedTuple):
    """The values of n rows in a column that holds several: `hashes` int64[m], and `row` int64[m] of each.

    Ascending by row, then hash, but those of a cross in the order of its column with several values. Each row has at
    least one value, that of the empty string where it has no other.
    """

    hashes: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]

    def means(self, of_values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The mean over the values of each row, float32[n], of what its values stand for, float32[m]."""
        means: npt.NDArray[np.float64] = np.bincount(self.row, weights=of_values) / np.bincount(self.row)
        return means.astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """Sorted value hashes per categorical column with what each stands for.

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
        """Raise `EncoderError` when the arrays' lengths contradict one another."""
        lengths = {len(self.hashes), len(self.rates), len(self.log_counts), int(self.offsets[-1])}
        if len(lengths) != 1 or len(self.offsets) != len(self.columns) + 1 or len(self.unseen) != len(self.columns):
            raise EncoderError(
                f"The encoder's arrays do not fit together: {len(self.columns)} columns, {len(self.offsets)} offsets, "
                f"lengths {sorted(lengths)}. Train the model again."
            )
        if self.factors is not None:
            found = tuple(len(vectors) for vectors in (self.factors.first, self.factors.second))
            needed = tuple(self.places(column) + 1 for column in self.factors.columns)
            if found != needed:
                raise EncoderError(
                    f"The encoder's factors do not fit its columns: {found} vectors, but {needed} are needed. "
                    "Train the model again."
                )

    def places(self, index: int) -> int:
        """How many values of column `index` have a place."""
        return int(self.offsets[index + 1] - self.offsets[index])

    def column(self, index: int) -> slice:
        """Where column `index` lies in `hashes`, `rates` and `log_counts`."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def encode(
        self,
        numeric: npt.NDArray[np.float64],
        hashes: npt.NDArray[np.int64],
        several: Mapping[int, Several] | None = None,
        lookup: Lookup | None = None,
        products: Products | None = None,
    ) -> npt.NDArray[np.float64]:
        """The model's inputs, float64[n, p + 2c], or two more with factors, in the order of `Schema.encoded_features`.

        `numeric` is float64[n, p] with NaN for missing, `hashes` int64[n, c] from `features.hashing`. The columns
        `several`, by their index, take their values from there, and means over them; `lookup` says what a value stands
        for where that is not `Encoder.lookup`, `products` what factors predict where these are not the encoder's own.
        """
        look_up = lookup or self.lookup
        rows, width = numeric.shape
        factored = 0 if self.factors is None else 2
        encoded = np.empty((rows, width + 2 * len(self.columns) + factored), dtype=np.float64)
        encoded[:, :width] = numeric
        for index in range(len(self.columns)):
            values = (several or {}).get(index)
            if values is None:
                rate, log_count = look_up(index, hashes[:, index], EACH)
            else:
                rate, log_count = map(values.means, look_up(index, values.hashes, values.row))
            encoded[:, width + 2 * index] = rate
            encoded[:, width + 2 * index + 1] = log_count
        if self.factors is not None:
            first, second = self.factors.columns
            predict = products or self.factors.products
            encoded[:, -2] = predict(self.place(first, hashes), self.place(second, hashes))
            log_counts = encoded[:, width + 1 :: 2]
            encoded[:, -1] = np.minimum(log_counts[:, first], log_counts[:, second])
        return encoded

    def place(self, index: int, hashes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The places, int64[n], of rows' values in column `index`, from 0 on and behind the last one without any.

        `hashes` is int64[n, c], of columns that hold one value a row.
        """
        position, seen = self.find(index, hashes[:, index])
        return np.where(seen, position - self.offsets[index], self.places(index))

    def lookup(
        self, index: int, hashes: npt.NDArray[np.int64], _row: RowOfEach = EACH
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Rate and log count, float32[m] each, of the values of column `index` with these hashes, int64[m]."""
        position, seen = self.find(index, hashes)
        rate, log_count = (np.full(len(hashes), value, dtype=np.float32) for value in self.unseen[index])
        rate[seen] = self.rates[position[seen]]
        log_count[seen] = self.log_counts[position[seen]]
        return rate, log_count

    def find(self, index: int, hashes: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Where the values of column `index` with these hashes lie in the flat arrays, int64[n], and which of them do.

        The position of a value that is not in the column's table means nothing.
        """
        part = self.column(index)
        table = self.hashes[part]
        if len(table) == 0:
            return np.zeros(len(hashes), dtype=np.int64), np.zeros(len(hashes), dtype=np.bool_)
        position = np.minimum(np.searchsorted(table, hashes), len(table) - 1)
        return position + part.start, table[position] == hashes

    def save(self, bundle: Path) -> None:
        """Write the encoder's files into the folder `encoder` of a bundle."""
        folder = bundle / FOLDER
        folder.mkdir(parents=True)
        layout = _Layout(
            columns=self.columns,
            offsets=tuple(self.offsets.tolist()),
            unseen=tuple((float(rate), float(log_count)) for rate, log_count in self.unseen),
            factors=msgspec.UNSET if self.factors is None else self.factors.columns,
        )
        (folder / "layout.json").write_bytes(msgspec.json.encode(layout))
        for name in ("hashes", "rates", "log_counts"):
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)
        if self.factors is not None:
            for name in _VECTORS:
                np.save(folder / f"{name}_vectors.npy", getattr(self.factors, name), allow_pickle=False)

    @classmethod
    def load(cls, bundle: Path) -> Self:
        """Map the encoder of a bundle into memory; raises `EncoderError` when a file is missing or not what it was."""
        folder = bundle / FOLDER
        try:
            layout = msgspec.json.decode((folder / "layout.json").read_bytes(), type=_Layout)
            hashes, rates, log_counts = (_mapped(folder / f"{name}.npy") for name in ("hashes", "rates", "log_counts"))
            factors = None
            if layout.factors is not msgspec.UNSET:
                first, second = (_mapped(folder / f"{name}_vectors.npy") for name in _VECTORS)
                factors = Factors(columns=layout.factors, first=first, second=second)
        except (OSError, EOFError, ValueError, msgspec.DecodeError) as error:
            raise EncoderError(f"The encoder in {folder} cannot be read: {error}. Train the model again.") from error
        return cls(
            columns=layout.columns,
            offsets=np.asarray(layout.offsets, dtype=np.int64),
            hashes=hashes,
            rates=rates,
            log_counts=log_counts,
            unseen=np.asarray(layout.unseen, dtype=np.float32).reshape(len(layout.columns), 2),
            factors=factors,
        )


def _mapped(file: Path) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    return array
