"""Columns of a dataset. A column object knows how its values are read and stored, which model inputs they become, and
how the report, explanations and drift name it.

`Schema` creates these objects. `features.categories` and `features.times` have the other kinds.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from features.arrays import Numbers, RowOfEach, Values
from features.hashing import Hashes
from features.values import PLAIN_NUMBER, is_number

Fields = Sequence[Any]
"""The values of n rows: one entry for each of `Schema.fields`, `Numbers` or `Categories` depending on its kind."""
Places = npt.NDArray[np.int64]
Stands = npt.NDArray[np.float32]
Inputs = Sequence[npt.NDArray[np.floating[Any]]]
"""One array [n] for each of a column's inputs."""


class Tables(Protocol):
    """Looks up what category values encode to: an `Encoder`, or training's out-of-fold tables."""

    def place(self, index: int, hashes: Hashes, /) -> Places:
        """The places of the values with these hashes in the encoder's column `index`, int64[m]; one past the last if
        unknown."""
        ...

    def lookup(self, index: int, places: Places, row: RowOfEach, /) -> tuple[Stands, Stands]:
        """The rate and log count, float32[m] each, of the values at these places; `row` is the row of each value."""
        ...

    def products(self, first: Places, second: Places, /) -> Stands:
        """The factors' predictions, float32[n], for pairs of values at these places of their two columns."""
        ...


class Asked(NamedTuple):
    """How a request states a value: msgspec's type if it is not null, the description for clients, and an example."""

    kind: Any
    description: str
    example: float | str


class Rule(NamedTuple):
    """Words for error messages about a table's fields: what the column is called, and what a wrong field is.

    `plain` is a pattern of texts that are certainly right, "" if there is none.
    """

    called: str
    fault: str
    plain: str


@dataclass(frozen=True, kw_only=True)
class Column(ABC):
    """A column of any kind."""

    name: str
    role: ClassVar[str]
    """The name of the kind in the report."""

    @property
    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """The names of the model inputs. The first represents the column in the check for leaks."""

    @abstractmethod
    def encode(self, fields: Fields, tables: Tables) -> Inputs:
        """The values of the column's inputs in n rows."""

    def watched(self, inputs: Numbers) -> Numbers:
        """The values whose histogram drift compares, float64[n], NaN for missing, from the inputs float64[n, k]."""
        return inputs[:, 0]


@dataclass(frozen=True, kw_only=True)
class Field(Column):
    """A column that records hold. `at` is its index in `Schema.fields`."""

    at: int

    @property
    @abstractmethod
    def asked(self) -> Asked:
        """How a request states a value."""

    @abstractmethod
    def read(self, values: Sequence[Any]) -> Values:
        """The values of n records from their JSON values; None, NaN or UNSET means missing."""

    def is_in(self, other: "Field | None") -> bool:
        """Whether rows whose field of the same name is `other` also provide this field."""
        return isinstance(other, type(self))


@dataclass(frozen=True, kw_only=True)
class Number(Field):
    """A number, which is its own input. Stored as float64, NaN for missing."""

    role = "numeric"

    @property
    def rule(self) -> Rule:
        """What a table's fields must be."""
        return Rule("number", "no number", PLAIN_NUMBER)

    @property
    def asked(self) -> Asked:
        """A number; the examples are 1, 2, ..."""
        return Asked(float, "A number, or null when missing.", float(self.at + 1))

    @property
    def inputs(self) -> tuple[str, ...]:
        """The number."""
        return (self.name,)

    def is_right(self, text: str) -> bool:
        """Whether a table's field that is not missing is a valid value."""
        return is_number(text)

    def parse(self, text: str) -> float:
        """The value of a field for which `is_right` holds."""
        return float(text)

    def shown(self, value: float) -> float | str | None:
        """A stored value as a request states it."""
        return None if np.isnan(value) else value

    def read(self, values: Sequence[Any]) -> Values:
        """The numbers, float64[n]."""
        return np.array(values, dtype=np.float64)  # None becomes NaN

    def encode(self, fields: Fields, _tables: Tables) -> Inputs:
        """The numbers."""
        return (fields[self.at],)
