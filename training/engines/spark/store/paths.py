"""Where Spark writes and reads: folders on this machine, or on a file system that every machine of a cluster sees.

Spark takes a name as it is, not encoded as a URI's, and where it reads, it takes some characters for patterns.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

_PATTERN = re.compile(r"([\\*?\[\]{}])")


VOLUMES = Path("/Volumes")
"""Where Databricks' machines see what Spark itself reaches as `dbfs:/Volumes/...`."""


def to_write(path: Path) -> str:
    """The name by which Spark writes `path`."""
    return f"{_scheme(path)}{path.absolute()}"


def to_read(path: Path) -> str:
    """The name by which Spark reads `path`, and nothing else."""
    return _scheme(path) + _PATTERN.sub(r"\\\1", str(path.absolute()))


def path_of(name: str) -> Path:
    """The path of what Spark calls `name`, which is a URI's."""
    return Path(unquote(urlsplit(name).path))


def _scheme(path: Path) -> str:
    return "dbfs:" if path.is_relative_to(VOLUMES) else "file://"


def stored(
    frame: DataFrame,
    folder: Path,
    *,
    schema: StructType | None = None,
    options: Mapping[str, str] = MappingProxyType({}),
) -> DataFrame:
    """`frame`, written as Parquet to `folder` unless it is there, and read from it, as `schema` or as it is."""
    frame.write.mode("ignore").options(**options).parquet(to_write(folder))
    return frame.sparkSession.read.schema(schema or frame.schema).parquet(to_read(folder))
