"""What a column is. One object says what the column's values are, which inputs the model gets from them, and what the
column is called in the report, the explanations and the drift.

`Schema` makes these objects. The other kinds are in `features.categories`.
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
"""The values of n rows: for each of `Schema.fields` what its kind reads, `Numbers` or `Categories`."""
Places = npt.NDArray[np.int64]
Stands = npt.NDArray[np.float32]
Inputs = Sequence[npt.NDArray[np.floating[Any]]]
"""One [n] for each of a column's inputs."""


class Tables(Protocol):
    """What values stand for: an encoder's tables, or the out-of-fold ones of training."""

    def place(self, index: int, hashes: Hashes, /) -> Places:
        """Where the encoder's column `index` has the values with these hashes, int64[m]; behind the last if nowhere."""
        ...

    def lookup(self, index: int, places: Places, row: RowOfEach, /) -> tuple[Stands, Stands]:
        """The rate and the log count, float32[m] each, of the values at these places, which are in these rows."""
        ...

    def products(self, first: Places, second: Places, /) -> Stands:
        """What the factors predict, float32[n], for the values at these places of their two columns."""
        ...


class Asked(NamedTuple):
    """How a request states a value: its type for msgspec unless null, what clients read about it, and an example."""

    kind: Any
    description: str
    example: float | str


class Rule(NamedTuple):
    """What messages about a field of a table call its column, and the field if it is wrong.

    `plain` is a pattern of texts that are right at a glance, "" if there is none.
    """

    called: str
    fault: str
    plain: str


@dataclass(frozen=True, kw_only=True)
class Column(ABC):
    """A column by its name."""

    name: str
    role: ClassVar[str]
    """What the report calls the kind."""

    @property
    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """The names of the model's inputs. The first one says most about the column."""

    @abstractmethod
    def encode(self, fields: Fields, tables: Tables) -> Inputs:
        """The column's inputs for n rows."""

    def watched(self, inputs: Numbers) -> Numbers:
        """What the drift counts in histograms, float64[n], NaN for missing, from the column's inputs float64[n, k]."""
        return inputs[:, 0]


@dataclass(frozen=True, kw_only=True)
class Field(Column):
    """A column that records have, as number `at` of `Schema.fields`."""

    at: int

    @property
    @abstractmethod
    def asked(self) -> Asked:
        """How a request states a value."""

    @abstractmethod
    def read(self, values: Sequence[Any]) -> Values:
        """The values of n records, [n], of which each is null or absent where it is missing."""

    def is_in(self, other: "Field | None") -> bool:
        """Whether rows that have the field `other` of the same name have this one."""
        return isinstance(other, type(self))


@dataclass(frozen=True, kw_only=True)
class Number(Field):
    """A number is an input as it is. Rows are stored with it as float64, NaN for missing."""

    role = "numeric"

    @property
    def rule(self) -> Rule:
        """What the fields of a table must be."""
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
        """Whether a field of a table, which is not missing, is a value of the column."""
        return is_number(text)

    def parse(self, text: str) -> float:
        """The value of a field that `is_right`."""
        return float(text)

    def shown(self, value: float) -> float | str | None:
        """A value as a request states it."""
        return None if np.isnan(value) else value

    def read(self, values: Sequence[Any]) -> Values:
        """The numbers, float64[n]."""
        return np.array(values, dtype=np.float64)  # None becomes NaN

    def encode(self, fields: Fields, _tables: Tables) -> Inputs:
        """The numbers."""
        return (fields[self.at],)
