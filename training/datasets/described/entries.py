"""The parts of a dataset config: label and columns."""

from enum import StrEnum
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    StrictBool,
    StrictFloat,
    StrictInt,
    field_validator,
    model_serializer,
    model_validator,
)

from features.values import TimeFormat
from training.datasets.described.sources import Strict

Event = Annotated[str, Field(min_length=1)]
"""A text of the label column, such as `purchase`."""


POSITIVES = "positives"
"""In place of a label: every row is positive."""


class Label(Strict):
    """The label column of the interactions, with the rule that makes it 0 or 1. Without a rule it must be 0 or 1.

    With `positive` and `negative`, every text of the column is in one of the two lists. The word `positives` instead of
    all this says that every row is positive; `column` is empty then.
    """

    column: str
    at_least: StrictInt | StrictFloat | None = None
    equals: StrictInt | StrictFloat | StrictBool | str | None = None
    positive: tuple[Event, ...] = ()
    negative: tuple[Event, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        if value == POSITIVES:
            return {"column": ""}
        if isinstance(value, str) or (isinstance(value, dict) and value.get("column") == ""):
            raise ValueError(f"give the label as {{column: NAME}}, or the word {POSITIVES} if every row is positive")
        return value

    @model_serializer(mode="wrap")
    def _written(self, written: SerializerFunctionWrapHandler) -> object:
        return written(self) if self.column else POSITIVES

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        rules = [self.at_least is not None, self.equals is not None, bool(self.positive or self.negative)]
        if sum(rules) > 1:
            raise ValueError("give only one of `at_least`, `equals`, and `positive` with `negative`")
        if bool(self.positive) is not bool(self.negative):
            raise ValueError("give both lists of events, `positive` and `negative`")
        if both := sorted({*self.positive} & {*self.negative}):
            raise ValueError(f"{', '.join(both)} cannot be both positive and negative: name each event once")
        return self

    @property
    def only_positives(self) -> bool:
        """Whether every row is positive, so that a recommender can be trained, and no click model."""
        return not self.column

    @property
    def events(self) -> dict[str, str]:
        """The list that each event is in, `positive` or `negative`."""
        return dict.fromkeys(self.positive, "positive") | dict.fromkeys(self.negative, "negative")


class CandidatesFrom(StrEnum):
    """The interactions that recommendations are learned from."""

    POSITIVES = "positives"
    ALL = "all"


class Column(Strict):
    """A column: its name, or a mapping with options."""

    column: str = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        if isinstance(value, str):
            return {"column": value}
        if isinstance(value, dict):
            return value
        raise ValueError("give a column's name in quotes, or a mapping as {column: NAME}")


class Time(Column):
    """A column of times."""

    format: TimeFormat = TimeFormat.ISO


class Numeric(Column):
    """A column of numbers."""

    missing: tuple[str, ...] | None = None
    """The texts that mean missing in this column; by default those of the dataset."""


class Number(Numeric):
    """A column of numbers, or of lists of `length` numbers: these are the columns `NAME.0`, `NAME.1`, and so on."""

    length: int | None = Field(default=None, ge=1, le=4096)

    @property
    def single(self) -> list["Number"]:
        """It, or the columns of its lists' numbers."""
        if self.length is None:
            return [self]
        return [Number(column=f"{self.column}.{place}", missing=self.missing) for place in range(self.length)]


class Categorical(Numeric):
    """A column of categories."""

    separator: str | None = Field(default=None, min_length=1)
    """The separator of a field's values; without it, a field is one value."""


class TimeFeature(Time, Numeric):
    """A date and time column as a feature."""

    zone: str = "UTC"
    """The time zone of texts that name none, and of hour and weekday."""

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError) as error:  # unknown, no path within the database, a folder there
            raise ValueError("this time zone is unknown: give one such as Europe/Berlin") from error
        return zone
