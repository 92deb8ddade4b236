"""Columns that hold several values, on Spark: what is written for them beside a row's other hashes.

A field is split as `features.hashing` does it; a differential test holds them together.
"""

import re

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.schema import Schema
from training.engines.spark.identifiers import column
from training.kernels.columns import VALUES


def value_hashes(schema: Schema) -> list[Column]:
    """What is written for raw rows as `VALUES`, if anything is."""
    hashes = [
        F.sort_array(F.array_distinct(F.transform(texts(column(schema.categorical[index]), separator), _hashed)))
        for index, separator in schema.several.items()
    ]
    return [F.array(*hashes).alias(VALUES)] if hashes else []


def texts(field: Column, separator: str) -> Column:
    """The values in a field, array<string>; one "" where it has none."""
    parts = F.transform(F.split(field, re.escape(separator)), F.trim)
    values = F.filter(parts, lambda part: part != "")
    return F.when(F.size(values) > 0, values).otherwise(F.array(F.lit("")))


def _hashed(text: Column) -> Column:
    return F.xxhash64(text)
