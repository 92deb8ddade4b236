"""Categorical columns and what is derived from them: the model gets rates and counts of their values."""

import json
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np

from features.arrays import EACH, Categories, Numbers, Several, Values, crossed
from features.columns import Asked, Column, Field, Fields, Inputs, Tables
from features.hashing import hash_several, hash_values, split_values

Integer = (
    Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    | Annotated[float, msgspec.Meta(ge=-(2**63), le=2**63 - 1024, multiple_of=1)]
)
"""Of 64 bits: there are longer ones that Python does not write as text. JSON Schema counts 3.0 as an integer."""


class Rated(Column):
    """A column whose inputs are a click rate and the log count of the rows behind it."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Rate and log count."""
        return f"{self.name}_rate", f"{self.name}_log_count"

    def watched(self, inputs: Numbers) -> Numbers:
        """The rate. Rare and unseen values count as missing, since they have no rate of their own."""
        return np.where(inputs[:, 1] > 0, inputs[:, 0], np.nan)


class Encoded(Rated):
    """A column with a table in the encoder, at `index`, where its values' inputs are looked up.

    A row with several values gets the means of their inputs.
    """

    index: int

    @abstractmethod
    def values(self, fields: Fields) -> Categories:
        """The column's values in n rows."""

    def encode(self, fields: Fields, tables: Tables) -> Inputs:
        """The rate and log count from the column's table."""
        values = self.values(fields)
        if isinstance(values, Several):
            stands = tables.lookup(self.index, tables.place(self.index, values.hashes), values.row)
            return tuple(map(values.means, stands))
        return tables.lookup(self.index, tables.place(self.index, values), EACH)


@dataclass(frozen=True, kw_only=True)
class Category(Field, Encoded):
    """A categorical column. With a `separator`, a field can hold several values."""

    role = "categorical"

    index: int
    separator: str = ""

    @property
    def asked(self) -> Asked:
        """A text, or an integer that stands for its digits; the example is a made-up one."""
        if not self.separator:
            return Asked(
                Integer | str, "A category, or null when missing. The integer 12 is the category `12`.", "example"
            )
        said = f"Categories with {json.dumps(self.separator)} between them, in any order, or null when missing."
        return Asked(Integer | str, said, f"one{self.separator}other")

    def read(self, values: Sequence[Any]) -> Values:
        """The values' hashes, int64[n] or several."""
        texts = [_text(value) for value in values]
        if not self.separator:
            return hash_values(texts)
        hashes = [hash_several(text, self.separator) for text in texts]
        row = np.repeat(np.arange(len(texts)), [len(of_row) for of_row in hashes])
        return Several(hashes=np.concatenate(hashes), row=row)

    def is_in(self, other: Field | None) -> bool:
        """A column without a separator can also be read from rows that split it."""
        return isinstance(other, Category) and self.separator in {"", other.separator}

    def split(self, text: str) -> list[str]:
        """The values in a field."""
        return split_values(text, self.separator) if self.separator else [text]

    def values(self, fields: Fields) -> Categories:
        """The field's values."""
        values: Categories = fields[self.at]
        return values


def _text(value: object) -> str:
    """What a request's value stands for: null and no value for the empty text, an integer for its digits."""
    if isinstance(value, float):
        value = int(value)
    return str(value) if value or value == 0 else ""


@dataclass(frozen=True, kw_only=True)
class Cross(Encoded):
    """A pair of categorical columns, for example what one user did with items of one genre.

    It is computed: neither tables nor requests contain it.
    """

    role = "cross"

    index: int
    first: Category
    second: Category

    def values(self, fields: Fields) -> Categories:
        """The pairs of both columns' values."""
        return crossed(self.first.values(fields), self.second.values(fields))


@dataclass(frozen=True, kw_only=True)
class FactorPair(Rated):
    """Two categorical columns whose values have latent factors (`features.factors`). Its inputs are the factors'
    prediction for a row's two values and the smaller of the values' log counts."""

    role = "factors"

    first: Category
    second: Category

    def encode(self, fields: Fields, tables: Tables) -> Inputs:
        """The product of the two values' vectors, and the smaller log count."""
        own, other = (tables.place(one.index, fields[one.at]) for one in (self.first, self.second))
        _, own_count = tables.lookup(self.first.index, own, EACH)
        _, other_count = tables.lookup(self.second.index, other, EACH)
        return tables.products(own, other), np.minimum(own_count, other_count)
