"""Paths as Spark writes and reads them, on this machine or on shared storage.

Spark does not decode a path as a URI, and treats some characters as glob patterns when it reads.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

_PATTERN = re.compile(r"([\\*?\[\]{}])")

VOLUMES = Path("/Volumes")
"""The mount point of volumes."""


def to_write(path: Path) -> str:
    """The name under which Spark writes `path`."""
    return f"{_scheme(path)}{path.absolute()}"


def to_read(path: Path) -> str:
    """The name under which Spark reads exactly `path`."""
    return _scheme(path) + _PATTERN.sub(r"\\\1", str(path.absolute()))


def _scheme(path: Path) -> str:
    """Empty for volumes: they are in Databricks' default file system."""
    return "" if path.is_relative_to(VOLUMES) else "file://"


def stored(
    frame: DataFrame,
    folder: Path,
    *,
    schema: StructType | None = None,
    options: Mapping[str, str] = MappingProxyType({}),
) -> DataFrame:
    """`frame`, written as Parquet to `folder` unless it is there already, and read back with `schema` or its own."""
    frame.write.mode("ignore").options(**options).parquet(to_write(folder))
    return frame.sparkSession.read.schema(schema or frame.schema).parquet(to_read(folder))
