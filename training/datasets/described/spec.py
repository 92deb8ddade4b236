"""The dataset config: a YAML file about interactions, users and items."""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from msgspec import UNSET
from pydantic import BeforeValidator, PrivateAttr, ValidationError, field_validator, model_validator

from features.columns import MOMENT, Reading
from features.schema import Pair, Schema, cross_name, factors_name, problem_of_pairs
from features.yaml_text import load_yaml
from recommend.forgotten import NOBODY, Forgotten
from training.datasets.described.entries import CandidatesFrom, Categorical, Label, Number, Numeric, Time, TimeFeature
from training.datasets.described.files import is_no_table, listed_suffixes
from training.datasets.described.sources import Entity, Source, Strict, delta_version
from training.datasets.errors import MissingFileError, SpecError

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
    candidates_from: CandidatesFrom = CandidatesFrom.POSITIVES
    """Whether recommendations are learned from clicks alone, or from every interaction."""
    recommend_seen: bool = False
    """Whether what a user chose is recommended to them again, as songs and groceries may be."""
    missing: tuple[str, ...] = ("",)
    """The texts that mean missing in every column that does not name its own; the empty text always does."""
    _forgotten: Forgotten = PrivateAttr(default=NOBODY)

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
            "label: positives": self.label.only_positives,
            "candidates_from": self.candidates_from is CandidatesFrom.ALL,
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
            separators=self.separators or UNSET,
            crosses=self.crosses or UNSET,
            factors=self.factors or UNSET,
            times={one.column: Reading(zone=one.zone, format=one.format) for one in self.times} or UNSET,
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
    def joined(self) -> dict[str, Entity]:
        """The users and items that have a table, with which the interactions are joined."""
        return {name: one for name, one in self.entities.items() if one.path is not None}

    @property
    def forgotten(self) -> Forgotten:
        """Users whose rows are not read."""
        return self._forgotten

    def without(self, users: Forgotten) -> "TablesSpec":
        """The same config for tables in which rows of these users are passed over."""
        spec = self.model_copy()
        spec._forgotten = users  # noqa: SLF001 - its own
        return spec

    def with_paths(self, paths: Mapping[str, Path | tuple[Path, ...]]) -> "TablesSpec":
        """The same config with other paths of the tables."""
        return self._with("path", paths)

    def with_versions(self, versions: Mapping[str, int | None]) -> "TablesSpec":
        """The same config with other versions of Delta tables."""
        return self._with("version", versions)

    def _with(self, field: str, values: Mapping[str, object]) -> "TablesSpec":
        changed = {
            name: one.model_copy(update={field: values[name]})
            for name, one in {"interactions": self.interactions, **self.entities}.items()
            if name in values
        }
        return self.model_copy(update=changed)


def load_spec(path: Path) -> TablesSpec:
    """Load the config in a YAML file, with absolute paths, and versions of Delta tables.

    Raises `MissingFileError` if a file does not exist, and `SpecError` with all that is wrong if the config is not
    valid.
    """
    path = path.expanduser().absolute()
    spec = read_spec(path)
    given = {table: tuple(path.parent / one for one in source.paths) for table, source in spec.tables.items()}
    named = [(table, file) for table, files in given.items() for file in files]
    unknown = [str(file) for _, file in named if is_no_table(file)]
    if unknown:
        raise SpecError(
            f"{path}: the format of {', '.join(unknown)} is unknown. Give files that end in {listed_suffixes()}, or "
            "folders of such files."
        )
    missing = [f"the {table} file {file}" for table, file in named if not file.exists()]
    if missing:
        raise MissingFileError(f"{path} names {' and '.join(missing)}, which does not exist. Correct the path.")
    found = spec.with_paths({table: files if len(files) > 1 else files[0] for table, files in given.items()})
    return found.with_versions({table: delta_version(path, source) for table, source in found.tables.items()})


def read_spec(path: Path) -> TablesSpec:
    """The config in a YAML file, with paths and addresses as they stand there; raises like `load_spec`."""
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
        problems = "; ".join(_problem(dict(detail)) for detail in error.errors())
        raise SpecError(f"{path} is no valid dataset config: {problems}. See examples/tables/dataset.yaml.") from error


def _problem(detail: dict[str, Any]) -> str:
    where = ".".join(map(str, detail["loc"]))
    message = detail["msg"].removeprefix("Value error, ")
    shown = f", not {detail['input']!r}" if isinstance(detail["input"], str | int | float | date | datetime) else ""
    return f"{where}: {message}{shown}" if where else f"{message}{shown}"
