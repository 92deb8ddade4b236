"""Columns that hold several values, on Spark: what is written for them beside a row's other hashes, and read again.

A field is split as `features.hashing` does it; a differential test holds them together.
"""

import re

import numpy as np
import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.encoder import Several
from features.schema import Schema
from training.spark.identifiers import column

VALUES = "_values"
"""The hashes of the values in each of these columns, in the schema's order: array<array<bigint>>, each inner one
ascending. Rows of a schema without such columns do not have it."""


def value_columns(schema: Schema) -> list[str]:
    """`VALUES`, if the prepared rows of `schema` have it."""
    return [VALUES] if schema.several else []


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


def of_columns(values: pa.ListArray, schema: Schema) -> dict[int, Several]:
    """What `VALUES` of n rows holds, by the columns' index in the schema."""
    fields = values.flatten()
    hashes = fields.flatten().to_numpy(zero_copy_only=False)
    field_of_each = np.repeat(np.arange(len(fields)), fields.value_lengths().to_numpy(zero_copy_only=False))
    row, place = np.divmod(field_of_each, max(1, len(schema.several)))
    return {
        index: Several(hashes=hashes[place == own], row=row[place == own]) for own, index in enumerate(schema.several)
    }


def _hashed(text: Column) -> Column:
    return F.xxhash64(text)
