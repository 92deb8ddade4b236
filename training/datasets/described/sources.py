"""Where a table is, as a dataset config names it, and how its text is written."""

import codecs
import string
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from features.files import is_inside
from training.datasets.described.delta import is_delta, newest
from training.datasets.errors import SpecError

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


class Source(TextFormat):
    """A table: a file, a folder of files, or several of both; a folder may be a Delta table."""

    path: Path | tuple[Path, ...] = Field(union_mode="left_to_right")
    files: tuple[FileName, ...] = ()
    """The files of the folder that are meant; by default all. `up` fills it in for data in a container, where files can
    come while a model is trained."""
    version: int | None = Field(default=None, ge=0)
    """Of a Delta table; the newest by default."""
    days: Days | None = None
    """For interactions that come in days."""

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:  # noqa: ANN401 - what the YAML file has
        return {"path": value} if isinstance(value, str | Path | list | tuple) else value

    @property
    def paths(self) -> tuple[Path, ...]:
        """The named files and folders."""
        return self.path if isinstance(self.path, tuple) else (self.path,)

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
    key: str
    interactions_key: str = ""

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


def delta_version(config: Path, source: Source) -> int | None:
    """The version of a Delta table that is meant, so that a run reads no newer one."""
    tables = [path for path in source.paths if is_delta(path)]
    if tables and len(source.paths) > 1:
        raise SpecError(f"{config} names {source.shown} as one table, but {tables[0]} is a Delta table: name it alone.")
    if source.version is not None and not tables:
        raise SpecError(f"{config} names a `version` of {source.shown}, which is no Delta table. Leave it out.")
    return newest(tables[0]) if tables and source.version is None else source.version
