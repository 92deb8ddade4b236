"""The columns of a dataset and the order of the model's features."""

from functools import cached_property
from typing import Self

import msgspec

from features.crosses import Cross, cross_name, problem_of
from features.errors import PersonalizationError
from features.factors import factors_name, problem_of_factors


class SchemaError(PersonalizationError):
    """A schema that cannot be used, or a column that does not belong to it."""


def encoded_category(name: str) -> tuple[str, str]:
    """The model's inputs of a categorical column: its target rate and its log count."""
    return f"{name}_rate", f"{name}_log_count"


class Schema(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Column names by role. The label is 0 or 1; a missing number is NaN; a missing category is the empty string."""

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    label: str = "label"
    timestamp: str | None = None
    separators: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    """What stands between the values of a categorical column that holds several; unset, and so not in `schema.json`,
    where no column does."""
    crosses: tuple[Cross, ...] | msgspec.UnsetType = msgspec.UNSET
    """Pairs of categorical columns that are columns of the encoder too; unset where there is none."""
    factors: Cross | msgspec.UnsetType = msgspec.UNSET
    """Two categorical columns whose values have latent factors; unset where there are none."""

    def __post_init__(self) -> None:
        """Raise `SchemaError` for a name used twice, by an encoded feature too, a schema without any feature, a
        separator that is empty or of no categorical column, or a cross or factors that cannot be made."""
        inputs = (*self.encoded_features, *self.paired)
        names = [self.label, *inputs, *([self.timestamp] if self.timestamp else [])]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise SchemaError(f"Column names must be distinct, but {', '.join(repeated)} is used more than once.")
        if not self.numeric and not self.categorical:
            raise SchemaError("A dataset needs at least one numeric or categorical column, but none is named.")
        for name, separator in ({} if self.separators is msgspec.UNSET else self.separators).items():
            if name not in self.categorical:
                raise SchemaError(f"{name} has a separator, but it is none of the categorical columns.")
            if not separator:
                raise SchemaError(f"The separator of {name} is empty. Name the character between two values.")
        several = {self.categorical[index] for index in self.several}
        if problem := problem_of(self._crosses, numeric=self.numeric, categorical=self.categorical, several=several):
            raise SchemaError(f"{problem[0].upper()}{problem[1:]}.")
        if self.factors is msgspec.UNSET:
            return
        if problem := problem_of_factors(self.factors, categorical=self.categorical, several=several):
            raise SchemaError(f"{problem[0].upper()}{problem[1:]}.")

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The raw feature columns of a record, numeric ones first; nobody sends a cross."""
        return self.numeric + self.categorical

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """The columns of the encoder: the categorical ones, then the crosses."""
        return self.categorical + tuple(map(cross_name, self._crosses))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """What the model's inputs stand for, in their order: `features`, then the crosses, then the factors."""
        return self.numeric + self.paired

    @cached_property
    def paired(self) -> tuple[str, ...]:
        """The columns that two inputs stand for each: the `categories`, then the factors."""
        named = () if self.factors is msgspec.UNSET else (factors_name(self.factors),)
        return self.categories + named

    @cached_property
    def encoded_features(self) -> tuple[str, ...]:
        """The model's inputs in order: the numbers, then two for each of the `paired`.

        Of a category they are target rate and log count, of factors the rate that they predict and the smaller of
        both values' log counts.
        """
        return self.numeric + tuple(feature for name in self.paired for feature in encoded_category(name))

    @cached_property
    def crossed(self) -> dict[int, tuple[int, int]]:
        """The two columns of each cross by their index in `categorical`, by the cross's own in `categories`."""
        pairs = ((self.categorical.index(first), self.categorical.index(second)) for first, second in self._crosses)
        return dict(enumerate(pairs, start=len(self.categorical)))

    @cached_property
    def factored(self) -> tuple[int, int] | None:
        """The two columns that have factors, by their index in `categorical`."""
        if self.factors is msgspec.UNSET:
            return None
        first, second = self.factors
        return self.categorical.index(first), self.categorical.index(second)

    @property
    def _crosses(self) -> tuple[Cross, ...]:
        return () if self.crosses is msgspec.UNSET else self.crosses

    @cached_property
    def several(self) -> dict[int, str]:
        """The columns that hold several values, by their index in `categorical`, ascending, with their separators."""
        separators = {} if self.separators is msgspec.UNSET else self.separators
        return {index: separators[name] for index, name in enumerate(self.categorical) if name in separators}

    def lacking(self, other: "Schema") -> tuple[str, ...]:
        """The features that rows of the schema `other` do not have, or not as they are here.

        A column that `other` splits into values can be taken whole all the same.
        """
        theirs = {name: other.several.get(index) for index, name in enumerate(other.categorical)}
        numeric = (name for name in self.numeric if name not in other.numeric)
        categorical = (
            name
            for index, name in enumerate(self.categorical)
            if name not in theirs or self.several.get(index, theirs[name]) != theirs[name]
        )
        return (*numeric, *categorical)

    def to_json(self) -> bytes:
        """The bytes of `schema.json`."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """The schema of a `schema.json`; raises `SchemaError` when it is not one."""
        try:
            return msgspec.json.decode(content, type=cls)
        except msgspec.DecodeError as error:
            raise SchemaError(f"schema.json is not a schema: {error}.") from error


CRITEO = Schema(
    numeric=tuple(f"int{index:02d}" for index in range(13)),
    categorical=tuple(f"cat{index:02d}" for index in range(26)),
)
"""The Criteo Display Advertising Challenge: a label, 13 counts and 26 hashed categories, in the file's own order."""
