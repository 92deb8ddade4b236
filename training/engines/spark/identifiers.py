"""Column names as Spark takes them literally: to Spark, a bare `length.min` is the field `min` of a column `length`.

Every name that comes from a dataset goes to Spark through here.
"""

from collections.abc import Iterable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses


def quoted(name: str) -> str:
    """The name as an identifier of Spark SQL, whatever characters are in it."""
    return "`" + name.replace("`", "``") + "`"


def column(name: str) -> Column:
    """The column of exactly this name."""
    return F.col(quoted(name))


def numbered(frame: DataFrame, names: Iterable[str]) -> DataFrame:
    """These columns in this order, named `_0`, `_1` ...: `mapInArrow` and `mapInPandas` know no quotes."""
    return frame.select(*(column(name).alias(f"_{index}") for index, name in enumerate(names)))
