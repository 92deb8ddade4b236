"""The columns of a dataset and the order of the model's inputs."""

import json
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Self

import msgspec

from features.columns import MOMENT, Category, Column, Cross, Encoded, FactorPair, Field, Moment, Number, Reading, Time
from features.errors import PersonalizationError
from features.values import AS_WRITTEN, KeyRule

Pair = tuple[str, str]
"""The names of two categorical columns."""


class SchemaError(PersonalizationError):
    """A schema that cannot be used."""


def cross_name(pair: Pair) -> str:
    """The name of a cross."""
    return " x ".join(pair)


def factors_name(pair: Pair) -> str:
    """The name of the column that a pair's factors predict."""
    return " with ".join(pair)


class Schema(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, dict=True):
    """Column names by kind. The label is 0 or 1; a missing number is NaN; a missing category is the empty string."""

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    label: str = "label"
    timestamp: str | None = None
    separators: dict[str, str] = {}
    """The separator of each categorical column with several values."""
    crosses: tuple[Pair, ...] = ()
    """Pairs of categorical columns that have a table in the encoder too."""
    factors: Pair | None = None
    """Two categorical columns whose values have latent factors."""
    times: dict[str, Reading] = {}
    """Date and time columns, whose ages count from the `timestamp`."""
    keys: dict[str, KeyRule] = {}
    """What is done to keys before they are compared, of `users` and `items`; of others, nothing."""

    def __post_init__(self) -> None:
        """Raise `SchemaError` for a name used twice, also by a model input, a name that JSON can't have as it is, a
        separator that is empty or of another kind of column, times without a timestamp, or an impossible pair."""
        if escaped := [name for name in self.features if json.dumps(name, ensure_ascii=False) != f'"{name}"']:
            raise SchemaError(
                f"Requests name columns in JSON, which has no quotes, backslashes and control characters as they are. "
                f"Rename {', '.join(map(repr, escaped))}."
            )
        for name, separator in self.separators.items():
            if name not in self.categorical:
                raise SchemaError(f"{name} has a separator, but it is none of the categorical columns.")
            if not separator:
                raise SchemaError(f"The separator of {name} is empty. Name the character between two values.")
        if self.times and self.timestamp is None:
            raise SchemaError("Ages of times count from the row's timestamp, but none is named. Name its column.")
        if problem := problem_of_pairs(self.crosses, self.factors, self.numeric, self.categorical, self.separators):
            raise SchemaError(f"{problem[0].upper()}{problem[1:]}.")
        columns = dict.fromkeys((*self.columns, *self.fields))
        own = [column.name for column in columns if column.inputs != (column.name,)]
        of_rows = [self.timestamp] if self.timestamp and not (self.times and self.timestamp == MOMENT) else []
        names = [self.label, *self.encoded_features, *own, *of_rows]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise SchemaError(f"Column names must be distinct, but {', '.join(repeated)} is used more than once.")

    @cached_property
    def plain(self) -> tuple[Number, ...]:
        """The numeric columns, which are inputs as they are."""
        return tuple(Number(name=name, at=at) for at, name in enumerate(self.numeric))

    @cached_property
    def further(self) -> tuple[Number, ...]:
        """The columns of other kinds: stored as numbers, and left to the reference by the kernel in C."""
        first = len(self.numeric) + len(self.categorical)
        return tuple(
            Time(name=name, reading=reading, at=at)
            for at, (name, reading) in enumerate(self.times.items(), start=first)
        )

    @cached_property
    def numbers(self) -> tuple[Number, ...]:
        """All columns that are stored as numbers."""
        return self.plain + self.further

    @cached_property
    def stored(self) -> tuple[Field, ...]:
        """The columns that tables have: those stored as numbers, then the categorical ones."""
        return self.numbers + self.texts

    @cached_property
    def texts(self) -> tuple[Category, ...]:
        """The categorical columns."""
        return tuple(
            Category(name=name, at=len(self.numeric) + index, index=index, separator=self.separators.get(name, ""))
            for index, name in enumerate(self.categorical)
        )

    @cached_property
    def several(self) -> tuple[Category, ...]:
        """The categorical columns with several values in a field."""
        return tuple(column for column in self.texts if column.separator)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The fields of a record: numbers, categories, other kinds, and the time that ages count from."""
        own = (*self.plain, *self.texts, *self.further)
        return (*own, Moment(at=len(own))) if self.times else own

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The names of the `fields`."""
        return tuple(field.name for field in self.fields)

    @cached_property
    def encoded(self) -> tuple[Encoded, ...]:
        """The columns with a table in the encoder: the categorical ones, then the crosses."""
        one = dict(zip(self.categorical, self.texts, strict=False))
        crosses = (
            Cross(name=cross_name(pair), index=index, first=one[pair[0]], second=one[pair[1]])
            for index, pair in enumerate(self.crosses, start=len(self.texts))
        )
        return (*self.texts, *crosses)

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """The names of the `encoded` columns."""
        return tuple(column.name for column in self.encoded)

    @cached_property
    def factored(self) -> FactorPair | None:
        """The column that factors predict."""
        if self.factors is None:
            return None
        first, second = (self.texts[self.categorical.index(name)] for name in self.factors)
        return FactorPair(name=factors_name(self.factors), first=first, second=second)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """All columns that have model inputs, in the inputs' order."""
        return (*self.plain, *self.encoded, *([self.factored] if self.factored else []), *self.further)

    @cached_property
    def encoded_features(self) -> tuple[str, ...]:
        """The names of the model inputs, in order."""
        return tuple(name for column in self.columns for name in column.inputs)

    @cached_property
    def places(self) -> Mapping[str, slice]:
        """The slice of the model inputs that belongs to each of the `columns`, by name."""
        places, start = {}, 0
        for column in self.columns:
            places[column.name] = slice(start, start + len(column.inputs))
            start += len(column.inputs)
        return places

    def key(self, table: str, key: str | float) -> str:
        """The one text of a key of `users` or `items`."""
        return self.keys.get(table, AS_WRITTEN).of(key)

    def lacking(self, other: "Schema") -> tuple[str, ...]:
        """The features that rows of the schema `other` lack or read differently."""
        theirs = {field.name: field for field in other.fields}
        return tuple(field.name for field in self.fields if not field.is_in(theirs.get(field.name)))

    def to_json(self) -> bytes:
        """The bytes of `schema.json`."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """The schema of a `schema.json`; raises `SchemaError` if it is not valid."""
        try:
            return msgspec.json.decode(content, type=cls)
        except msgspec.DecodeError as error:
            raise SchemaError(f"schema.json is not a schema: {error}.") from error


def problem_of_pairs(
    crosses: Sequence[Pair],
    factors: Pair | None,
    numeric: Collection[str],
    categorical: Collection[str],
    several: Collection[str],
) -> str | None:
    """What is wrong with the first cross, or the factors, that these columns do not allow; None if nothing is.

    The columns `several` have several values in a field.
    """
    known: set[frozenset[str]] = set()
    for pair in crosses:
        first, second = pair
        for name in pair:
            if name in numeric:
                return f"{name} is a column of numbers, and only categories can be crossed: name it under `categorical`"
            if name not in categorical:
                return f"the cross of {first} and {second} needs {name}, which is not named under `categorical`"
        if first == second:
            return f"{first} is crossed with itself: name two columns"
        if frozenset(pair) in known:
            return f"{first} and {second} are crossed twice: name each pair once"
        if first in several and second in several:
            return f"{first} and {second} both hold several values: only one column of a cross may"
        known.add(frozenset(pair))
    return None if factors is None else _problem_of_factors(factors, categorical, several)


def _problem_of_factors(pair: Pair, categorical: Collection[str], several: Collection[str]) -> str | None:
    first, second = pair
    if first == second:
        return f"the factors are of {first} and of {first} again: name two columns"
    for name in pair:
        if name not in categorical:
            return f"the factors of {first} and {second} need {name}, which is not named under `categorical`"
        if name in several:
            return f"{name} holds several values, and factors are of columns with one"
    return None


CRITEO = Schema(
    numeric=tuple(f"int{index:02d}" for index in range(13)),
    categorical=tuple(f"cat{index:02d}" for index in range(26)),
)
"""The Criteo Display Advertising Challenge: a label, 13 counts and 26 hashed categories, in the file's own order."""
