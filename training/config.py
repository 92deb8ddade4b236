"""The dataset config: a YAML file about interactions, users and items."""

import codecs
import string
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    StrictBool,
    StrictFloat,
    StrictInt,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from features.columns import MOMENT, Reading
from features.files import is_inside
from features.invalid import problems
from features.schema import Pair, Schema, cross_name, factors_name, problem_of_pairs
from features.values import AS_WRITTEN, KeyRule, TimeFormat
from features.yaml_text import load_yaml
from recommend.forgotten import NOBODY, Forgotten
from recommend.histories import MOST_KINDS
from training.errors import MissingFileError, SpecError

_PLAIN = string.printable.encode("ascii")


class Strict(BaseModel):
    """A frozen part of the config that rejects unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TextFormat(Strict):
    """How the text files of a table are written."""

    separator: str | None = None
    """Between the fields of a line; by default a tab in `.tsv` files and a comma in others."""
    encoding: str = "utf-8"
    quote: str = '"'
    """Around a field that contains the separator; empty if there is no such character."""
    columns: tuple[str, ...] = ()
    """The names of the columns, where the first line is a row; by default the first line has them."""
    decimal: Literal[".", ","] = "."
    """The decimal point of numbers in CSV and TSV files; no other sign groups their digits."""
    line_breaks: bool = False
    """Whether fields in quotes may have line breaks in CSV and TSV files, each of which is then read whole."""

    @field_validator("separator", "quote")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        if value is not None and (len(value) > 1 or not value.isascii() or value in {"\r", "\n"}):
            raise ValueError('give one ASCII character, such as ";" or "\\t"')
        return value

    @field_validator("encoding")
    @classmethod
    def _of_single_bytes(cls, name: str) -> str:
        try:
            found = codecs.lookup(name).name.removesuffix("-sig")
            plain = string.printable.encode(found)
        except (LookupError, ValueError) as error:
            raise ValueError("this encoding is unknown: give one of Python's, such as latin-1 or cp1252") from error
        if plain != _PLAIN:
            raise ValueError("this encoding isn't based on ASCII: convert the file with `iconv --to-code UTF-8`")
        return found

    @model_validator(mode="after")
    def _different(self) -> Self:
        if self.separator == "" or (self.separator and self.separator == self.quote):
            raise ValueError("`separator` must be a character, and another one than `quote`")
        return self


ONE_TIME: Literal["one_time"] = "one_time"
"""What `missing_keys` makes of interactions without a user: those of one who is known by the basket alone."""


class Days(Strict):
    """Which days of a table are read: its folders name a date as this column, as in `day=2026-11-01`."""

    column: str = Field(min_length=1)
    last: int = Field(default=0, ge=0)
    """How many of the latest days; 0 for all of them."""


def _inside(name: str) -> str:
    if not is_inside(name):
        raise ValueError("give the path of a file below the table's folder, without empty parts, `.` and `..`")
    return name


FileName = Annotated[str, AfterValidator(_inside)]


Bound = StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)]


def _as_listed(value: object) -> object:
    """YAML's dates and booleans as texts."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, date) else value


Listed = Annotated[Bound | Annotated[str, Field(min_length=1)], BeforeValidator(_as_listed)]


class Condition(Strict):
    """What a row's field in `column` must be for the row to be read. All that is named must hold.

    Texts and numbers that are listed mean what `features.values.value_of` says. A missing field fulfils `not` alone.
    """

    column: str
    above: Bound | None = None
    at_least: Bound | None = None
    below: Bound | None = None
    at_most: Bound | None = None
    among: tuple[Listed, ...] = Field(default=(), alias="is")
    excluded: tuple[Listed, ...] = Field(default=(), alias="not")

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        if not self.bounds and not self.among and not self.excluded:
            raise ValueError(
                "give `above`, `at_least`, `below` or `at_most` with a number, or `is` or `not` with texts"
            )
        return self

    @property
    def is_never_negative(self) -> bool:
        """Whether no negative number fulfils it."""
        least = max((bound for bound in (self.above, self.at_least) if bound is not None), default=-1)
        return least >= 0 or (bool(self.among) and not any(str(word).startswith("-") for word in self.among))

    @property
    def bounds(self) -> dict[str, float]:
        """The numbers by their names in the config."""
        given = {name: getattr(self, name) for name in ("above", "at_least", "below", "at_most")}
        return {name: float(bound) for name, bound in given.items() if bound is not None}


def _by_column(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError("give conditions by column, as {quantity: {above: 0}}")  # noqa: TRY004 - pydantic wants it so
    if wrong := [name for name, one in value.items() if not isinstance(name, str) or not isinstance(one, dict)]:
        raise ValueError(f"give what {wrong[0]} must be, as {{above: 0}} or {{not: [cancelled]}}")
    return tuple({"column": name, **one} for name, one in value.items())


def _conditions(where: tuple[Condition, ...]) -> dict[str, object]:
    kept = {"by_alias": True, "exclude": {"column"}, "exclude_defaults": True, "mode": "json"}
    return {one.column: one.model_dump(**kept) for one in where}  # type: ignore[arg-type] # as pydantic names them


Where = Annotated[tuple[Condition, ...], BeforeValidator(_by_column), PlainSerializer(_conditions)]


class Keys(Strict):
    """See `features.values.KeyRule`."""

    lowercase: bool = False
    strip: bool = False

    @property
    def rule(self) -> KeyRule:
        """What is done to a key."""
        return KeyRule(lowercase=self.lowercase, strip=self.strip)


class Fill(Strict):
    """Rows with the same `by` have the same value in each of these columns, which only some of them name."""

    by: str
    columns: tuple[str, ...] = Field(min_length=1)


class Join(TextFormat):
    """A table with one row for each `key`, whose columns the rows of another table get."""

    path: Path | tuple[Path, ...] = Field(union_mode="left_to_right")
    files: tuple[FileName, ...] = ()
    version: int | None = Field(default=None, ge=0)
    key: str

    @property
    def source(self) -> "Source":
        """The table."""
        return Source(**self.model_dump(exclude={"key"}))


class Source(TextFormat):
    """A table: a file, a folder of files, or several of both; a folder may be a Delta table."""

    path: Path | tuple[Path, ...] = Field(union_mode="left_to_right")
    files: tuple[FileName, ...] = ()
    """The files of the folder that are meant, in their order; by default all. `up` fills it in for copies, so that a
    missing one is noticed, and for data in a container, where files can come while a model is trained."""
    version: int | None = Field(default=None, ge=0)
    """Of a Delta table; the newest by default."""
    days: Days | None = None
    """For interactions that come in days."""
    where: Where = ()
    """Which rows are read."""
    fill: Fill | None = None
    join: tuple[Join, ...] = ()
    """For interactions: tables whose columns each row gets by a key, which it or a table before has. Rows that lack one
    of them are left out."""
    missing_keys: Literal["drop", "one_time"] | None = None
    """What becomes of interactions that lack a key; by default they are refused."""
    basket: str = ""
    """The column with what is the same in the interactions of one order."""
    refunds: str = ""
    """The column of quantities, where negative ones are refunds: no choices, and they take back what was bought."""

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:  # noqa: ANN401 - what the YAML file has
        return {"path": value} if isinstance(value, str | Path | list | tuple) else value

    @property
    def paths(self) -> tuple[Path, ...]:
        """The named files and folders."""
        return self.path if isinstance(self.path, tuple) else (self.path,)

    @property
    def cleaned_by(self) -> list[str]:
        """The columns that say which rows are left out, taken back, bought together or filled."""
        filled = (self.fill.by, *self.fill.columns) if self.fill else ()
        return [*(one.column for one in self.where), *filter(None, (self.basket, self.refunds)), *filled]

    @property
    def is_folder(self) -> bool:
        """Whether it has several files, or may have."""
        return len(self.paths) > 1 or self.paths[0].is_dir()

    @property
    def shown(self) -> str:
        """What messages call it."""
        first, *others = self.paths
        return f"{first} and {len(others)} more" if others else str(first)


class Entity(TextFormat):
    """Users or items: one row per `key`. `interactions_key` is the key's name in the interactions, if different.

    Without a `path` there is no table, only the key in the interactions.
    """

    path: Path | tuple[Path, ...] | None = Field(default=None, union_mode="left_to_right")
    files: tuple[FileName, ...] = ()
    version: int | None = Field(default=None, ge=0)
    where: Where = ()
    """Which rows are read. Other items are learned from and not recommended."""
    fill: Fill | None = None
    duplicates: Literal["drop"] | None = None
    """Whether the latest row of a key, by the column of the `timestamp`, is kept; by default a second one is refused.
    Without such a column one of them is kept that does not depend on the files' order."""
    key: str
    interactions_key: str = ""
    keys: Keys = Keys()
    show: tuple[str, ...] = ()
    """The columns of an item that recommendations show; by default those called `title` or `name`."""

    @property
    def foreign_key(self) -> str:
        """The interactions' column with this table's key."""
        return self.interactions_key or self.key

    @property
    def source(self) -> Source | None:
        """Its table, if there is one."""
        if self.path is None:
            return None
        return Source(**self.model_dump(include=set(Source.model_fields)))


Event = Annotated[str, Field(min_length=1)]
"""A text of the label column, such as `purchase`."""


POSITIVES: Literal["positives"] = "positives"
"""In place of a label: every row is positive."""


class Label(Strict):
    """The label column of the interactions, with the rule that makes it 0 or 1. Without a rule it must be 0 or 1.

    With `positive` and `negative`, every text of the column is in one of the two lists. The word `positives` instead of
    all this says that every row is positive; `column` is empty then. With `choice`, every row is one, too, of a kind
    that its text names, the strongest first.
    """

    column: str
    at_least: Bound | None = None
    equals: StrictInt | StrictFloat | StrictBool | str | None = None
    positive: tuple[Event, ...] = Field(default=(), min_length=1)
    negative: tuple[Event, ...] = Field(default=(), min_length=1)
    choice: tuple[Event, ...] = Field(default=(), min_length=1, max_length=MOST_KINDS)

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
        given: dict[str, object] = {name: one for name, one in written(self).items() if one not in ((), [])}
        return given if self.column else POSITIVES

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        lists = [bool(self.positive or self.negative), bool(self.choice)]
        if sum([self.at_least is not None, self.equals is not None, *lists]) > 1:
            raise ValueError("give only one of `at_least`, `equals`, `choice`, and `positive` with `negative`")
        if bool(self.positive) is not bool(self.negative):
            raise ValueError("give both lists of events, `positive` and `negative`")
        if both := sorted({*self.positive} & {*self.negative}):
            raise ValueError(f"{', '.join(both)} cannot be both positive and negative: name each event once")
        if repeated := sorted({event for event in self.choice if self.choice.count(event) > 1}):
            raise ValueError(f"`choice` names {', '.join(repeated)} again: name each event once, the strongest first")
        return self

    @property
    def only_positives(self) -> bool:
        """Whether every row is positive, so that a recommender can be trained, and no click model."""
        return not self.column or bool(self.choice)

    @property
    def of_texts(self) -> bool:
        """Whether the column's values are compared as texts, and not as numbers."""
        return bool(self.events) or isinstance(self.equals, str | bool)

    @property
    def events(self) -> dict[str, str]:
        """The list that each event is in: `positive`, `negative` or `choice`."""
        lists = {"positive": self.positive, "negative": self.negative, "choice": self.choice}
        return {event: name for name, events in lists.items() for event in events}


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


LABEL = "label"
"""The label column of a joined dataset, 0 or 1."""


def _two_names(value: object) -> object:
    if isinstance(value, list | tuple) and [type(name) for name in value] == [str, str]:
        return tuple(value)
    raise ValueError("give two columns in brackets, as [user_id, genres]")


class TablesSpec(Strict):
    """The whole config. Relative paths start at the config's folder."""

    interactions: Source
    users: Entity | None = None
    items: Entity | None = None
    label: Label
    one_row_per: tuple[str, ...] = ()
    """Columns of the interactions: events that are equal in all of them make one row."""
    numeric: tuple[Number, ...] = ()
    categorical: tuple[Categorical, ...] = ()
    times: tuple[TimeFeature, ...] = ()
    """Date and time columns: the model gets their age, hour and weekday."""
    crosses: tuple[Annotated[Pair, BeforeValidator(_two_names)], ...] = ()
    """Pairs of categorical columns as additional columns, which are computed."""
    factors: Annotated[Pair, BeforeValidator(_two_names)] | None = None
    """Two categorical columns whose values get latent factors, usually the keys of users and items."""
    timestamp: Time | None = None
    candidates_from: Literal["positives", "all"] = POSITIVES
    """Whether recommendations are learned from clicks alone, or from every interaction."""
    recommend_seen: bool = False
    """Whether what a user chose is recommended to them again, as songs and groceries may be."""
    missing: tuple[str, ...] = ("",)
    """The texts that mean missing in every column that does not name its own; the empty text always does."""
    _forgotten: Forgotten = PrivateAttr(default=NOBODY)
    _share: float = PrivateAttr(default=1.0)

    @field_validator("numeric")
    @classmethod
    def _numbers_of_lists(cls, numeric: tuple[Number, ...]) -> tuple[Number, ...]:
        return tuple(one for column in numeric for one in column.single)

    @model_validator(mode="after")
    def _columns_make_sense(self) -> Self:
        names = [one.column for one in self.features]
        if not names and not self.label.only_positives:
            raise ValueError("name at least one column under `numeric` or `categorical`")
        # Spark does not distinguish upper and lower case in column names.
        folded = [name.lower() for name in names]
        if repeated := sorted({name for name in names if folded.count(name.lower()) > 1}):
            raise ValueError(f"each column can be named once, but {', '.join(repeated)} is named again")
        if self.label.column in names:
            raise ValueError(f"{self.label.column} is the label, so it cannot be a feature: it would leak the target")
        if self.timestamp and self.timestamp.column in names:
            raise ValueError(f"{self.timestamp.column} is the timestamp, so it cannot be a feature")
        if LABEL in folded:
            raise ValueError(f"a feature cannot be called {LABEL!r}: rename the column")
        problem = problem_of_pairs(
            self.crosses, self.factors, self.numeric_names, self.categorical_names, self.separators
        )
        if problem:
            raise ValueError(problem)
        made = [(cross_name(pair), "cross is") for pair in self.crosses]
        made += [(factors_name(self.factors), "factors are")] if self.factors else []
        for name, what in made:
            if name.lower() in folded:
                raise ValueError(f"a column is called {name!r} as the {what}: rename the column")
        return self

    @model_validator(mode="after")
    def _events_can_be_grouped(self) -> Self:
        if self.label.column in self.one_row_per:
            raise ValueError(
                f"{self.label.column} is the label: without it, `one_row_per` brings a row's events together"
            )
        if repeated := sorted({name for name in self.one_row_per if self.one_row_per.count(name) > 1}):
            raise ValueError(f"`one_row_per` needs each column once, but {', '.join(repeated)} is named again")
        return self

    @model_validator(mode="after")
    def _somebody_chooses_something(self) -> Self:
        given = {
            "label: positives": not self.label.column,
            "choice": bool(self.label.choice),
            "candidates_from": self.candidates_from == "all",
            "recommend_seen": self.recommend_seen,
        }
        if (named := [name for name, one in given.items() if one]) and (self.users is None or self.items is None):
            raise ValueError(f"`{named[0]}` is for recommendations, which need the keys of `users` and `items`")
        if self.recommend_seen and self.timestamp is None:
            raise ValueError(
                "`recommend_seen` needs the order of choices: name the column of their time as `timestamp`"
            )
        return self

    @model_validator(mode="after")
    def _rows_can_be_cleaned(self) -> Self:
        own = self.interactions
        if own.missing_keys == ONE_TIME and not own.basket:
            raise ValueError("`missing_keys: one_time` needs to know what was bought together: name a `basket`")
        given = {"missing_keys: one_time": own.missing_keys == ONE_TIME, "refunds": bool(own.refunds)}
        if (named := [name for name, one in given.items() if one]) and not self.label.only_positives:
            raise ValueError(f"`{named[0]}` is for choices: `label: positives`, or {{column: NAME, choice: [...]}}")
        if any(one.column == own.refunds and one.is_never_negative for one in own.where):
            raise ValueError(
                f"`where` leaves out each row with a negative {own.refunds}, which are the refunds: leave out that "
                "condition, or `refunds`"
            )
        if self.one_row_per and self.label.only_positives:
            raise ValueError(
                "`one_row_per` is for clicks, and every row is a choice here, of which an item's strongest one counts: "
                "leave it out"
            )
        if self.users is not None and self.users.show:
            raise ValueError("`show` is for items: nobody is shown columns of users")
        for table, one in self.entities.items():
            if one.path is None and one.show:
                raise ValueError("`show` names columns of the table of items: name its `path`")
            if one.path is None and (one.where or one.duplicates):
                raise ValueError(f"`where` and `duplicates` of the {table} are about rows: name the `path` of a table")
            names = {feature.column for feature in self.features}
            if one.keys.rule != AS_WRITTEN and names & {one.key, one.foreign_key}:
                raise ValueError(
                    f"{one.foreign_key} has a rule of `keys`, by which the click model cannot read it: leave it out of "
                    "the features"
                )
        return self

    @model_validator(mode="after")
    def _ages_can_be_counted(self) -> Self:
        if self.times and self.timestamp is None:
            raise ValueError("the ages of `times` count from the row's timestamp: name its column under `timestamp`")
        if self.times and MOMENT in {one.column for one in self.features}:
            raise ValueError(f"{MOMENT} is the moment of a request, from which ages count: rename the column")
        return self

    @property
    def features(self) -> tuple[Numeric, ...]:
        """The columns that are features, of all kinds."""
        return (*self.numeric, *self.categorical, *self.times)

    @property
    def numeric_names(self) -> tuple[str, ...]:
        """The columns of numbers."""
        return tuple(one.column for one in self.numeric)

    @property
    def categorical_names(self) -> tuple[str, ...]:
        """The columns of categories."""
        return tuple(one.column for one in self.categorical)

    @property
    def separators(self) -> dict[str, str]:
        """The separators of columns with several values."""
        return {one.column: one.separator for one in self.categorical if one.separator is not None}

    @property
    def joined_schema(self) -> Schema:
        """The schema of the joined rows."""
        return Schema(
            numeric=self.numeric_names,
            categorical=self.categorical_names,
            label=LABEL,
            timestamp=self.timestamp.column if self.timestamp else None,
            separators=self.separators,
            crosses=self.crosses,
            factors=self.factors,
            times={one.column: Reading(zone=one.zone, format=one.format) for one in self.times},
            keys={name: one.keys.rule for name, one in self.entities.items() if one.keys.rule != AS_WRITTEN},
        )

    def missing_in(self, column: str) -> frozenset[str]:
        """The texts that mean missing in a column of any table; the empty text is always one of them."""
        own = {one.column: one.missing for one in self.features if one.missing is not None}
        return frozenset({"", *own.get(column, self.missing)})

    @property
    def entities(self) -> dict[str, Entity]:
        """The users and items that are named, with or without a table."""
        return {name: one for name, one in (("users", self.users), ("items", self.items)) if one is not None}

    @property
    def tables(self) -> dict[str, Source]:
        """The tables: interactions, and users and items where they have a table."""
        joined = {name: source for name, one in self.entities.items() if (source := one.source) is not None}
        return {"interactions": self.interactions, **joined}

    @property
    def sources(self) -> dict[str, Source]:
        """The tables, and those that are joined to the interactions, by names that no table has."""
        others = {f"joined-{place}": one.source for place, one in enumerate(self.interactions.join, start=1)}
        return {**self.tables, **others}

    @property
    def inner(self) -> tuple[str, ...]:
        """The tables without a row in which an interaction is dropped. Choices of other items teach, too."""
        return tuple(name for name in self.joined if name == "users" or not self.label.only_positives)

    @property
    def joined(self) -> dict[str, Entity]:
        """The users and items that have a table, with which the interactions are joined."""
        return {name: one for name, one in self.entities.items() if one.path is not None}

    @property
    def forgotten(self) -> Forgotten:
        """Users whose rows are not read."""
        return self._forgotten

    def without(self, users: Forgotten) -> "TablesSpec":
        """The same config for tables in which rows of these users are passed over; raises `OtherKeysError`."""
        users.require(AS_WRITTEN if self.users is None else self.users.keys.rule)
        spec = self.model_copy()
        spec._forgotten = users  # noqa: SLF001 - its own
        return spec

    @property
    def share(self) -> float:
        """The share of the users whose rows are read."""
        return self._share

    def of_users(self, share: float) -> "TablesSpec":
        """The same config for tables of which the rows of such a share of the users are read."""
        spec = self.model_copy()
        spec._share = share  # noqa: SLF001 - its own
        return spec

    def with_tables(self, **fields: Mapping[str, object]) -> "TablesSpec":
        """The same config with other values of these fields of its tables, by the tables' names."""
        others = {f"joined-{place}": one for place, one in enumerate(self.interactions.join, start=1)}
        changed = {
            name: one.model_copy(update={field: values[name] for field, values in fields.items() if name in values})
            for name, one in {"interactions": self.interactions, **self.entities, **others}.items()
        }
        join = tuple(changed.pop(name) for name in others)
        changed["interactions"] = changed["interactions"].model_copy(update={"join": join})
        return self.model_copy(update=changed)


def read_spec(path: Path) -> TablesSpec:
    """The config in a YAML file, with paths and addresses as they stand there; raises like
    `training.tables.files.load_spec`."""
    try:
        content: Any = load_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingFileError(
            f"There is no dataset config {path}. `.venv/bin/personalize init-data FOLDER` writes one for the "
            "tables in a folder; examples/tables/dataset.yaml is one to start from."
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SpecError(f"{path} is not a YAML file that can be read: {' '.join(str(error).split())}.") from error
    try:
        return TablesSpec.model_validate(content)
    except ValidationError as error:
        found = problems(error.errors(), content)
        listed = "; ".join(f"{place}: {problem}" if place else problem for place, problem in found.items())
        raise SpecError(f"{path} is not a valid dataset config: {listed}. See examples/tables/dataset.yaml.") from error


def meaning(spec: TablesSpec, paths: Mapping[str, Path | tuple[Path, ...]]) -> dict[str, object]:
    """What of the config identifies a dataset, beside its files: with `paths` in place of those where they lie.

    An option at its default is left out, so that a new option changes no dataset's identity. A default must stay as it
    is for that.
    """
    placed = spec.with_tables(path=paths, version=dict.fromkeys(spec.sources), files=dict.fromkeys(spec.sources, ()))
    return placed.model_dump(mode="json", exclude_defaults=True)
