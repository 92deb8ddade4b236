"""Prepared rows from typed columns: hashes by Spark's `xxhash64`, which is XXH64 with seed 42.

They are equal to those of `training.kernels.hashed`, so a row is on the same side of the split on both engines.
"""

from collections.abc import Mapping
from functools import reduce
from operator import add

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from pyspark.sql.window import Window

from features.hashing import P1, P2, P3, P4, P5
from features.schema import Schema
from training.engines.spark.values import values_of
from training.kernels.columns import CATEGORIES, FOLD, LABEL, NUMBERS, PART, RAW, RECORD_HASH, TIME, VALUES
from training.kernels.split import DRAWS, PARTS, Division, Part
from training.parameters import Split


def feature(schema: Schema, name: str) -> str:
    """The column of a feature in typed rows. Spark would take some names for paths."""
    return f"_{schema.features.index(name)}"


def prepared(rows: DataFrame, schema: Schema, keys: Mapping[str, str], *others: str) -> DataFrame:
    """Typed rows with the columns of `training.kernels.hashed.hashed`, and these `others`.

    They have `LABEL`, `TIME` if the schema names one, and each `feature`: float64 with null for missing, or a text with
    "". `keys` has the columns of other texts that a row's hash takes in, by their names.
    """
    texts = {one.name: F.col(feature(schema, one.name)) for one in schema.texts}
    numbers = {one.name: F.col(feature(schema, one.name)) for one in schema.numbers}
    hashed = texts | {name: F.col(column) for name, column in keys.items()}
    hash_of = {name: f"_hash_{index}" for index, name in enumerate(hashed)}
    rows = rows.withColumns({hash_of[name]: F.xxhash64(text) for name, text in hashed.items()})
    time = [] if schema.timestamp is None else [TIME]
    content = [
        *(_of_named(name, F.col(column)) for name, column in hash_of.items()),
        *(
            F.coalesce(F.when(number.isNotNull(), _of_named(name, number + 0.0)), F.lit(0))
            for name, number in numbers.items()
        ),
        *(_of_named(schema.timestamp or "", F.col(name)) for name in time),
    ]
    several = [several_hashes(texts[one.name], one.separator) for one in schema.several]
    raw = [text.alias(str(index)) for index, text in enumerate(texts.values())] or [F.lit("").alias("0")]
    return rows.select(
        F.col(LABEL).cast("tinyint").alias(LABEL),
        F.array(*(F.coalesce(number, F.lit(float("nan"))) for number in numbers.values()))
        .cast("array<double>")
        .alias(NUMBERS),
        F.array(*(F.col(hash_of[name]) for name in texts)).cast("array<bigint>").alias(CATEGORIES),
        *([F.array(*several).alias(VALUES)] if several else []),
        reduce(add, content).alias(RECORD_HASH),
        F.struct(*raw).alias(RAW),
        *time,
        *others,
    )


def several_hashes(text: Column, separator: str) -> Column:
    """The hashes of the values in a field with several, ascending: see `features.hashing.hash_several`."""
    return F.sort_array(F.transform(values_of(text, separator), _hashed))


def _hashed(text: Column) -> Column:
    return F.xxhash64(text)


def _of_named(name: str, value: Column) -> Column:
    """The hash of a column's value, seeded with that of the column's name."""
    return F.xxhash64(F.lit(name), value)


def numbered(rows: DataFrame) -> DataFrame:
    """Equal rows with record hashes of their own: see `training.kernels.hashed.numbered`."""
    number = F.row_number().over(Window.partitionBy(RECORD_HASH, LABEL).orderBy(RECORD_HASH)) - 1
    again = seeded(number.cast("bigint"), F.col(RECORD_HASH))
    return rows.withColumn(RECORD_HASH, F.when(number == 0, F.col(RECORD_HASH)).otherwise(again))


def seeded(value: Column, seed: Column) -> Column:
    """XXH64 of a whole number's eight bytes from a seed of its own, which `xxhash64` can't have."""
    one, two, three, four, five = (F.lit(int(prime.astype(np.int64))) for prime in (P1, P2, P3, P4, P5))
    mixed = (seed + five + 8).bitwiseXOR(_rotated(value * two, 31) * one)
    mixed = _rotated(mixed, 27) * one + four
    mixed = mixed.bitwiseXOR(F.shiftrightunsigned(mixed, 33)) * two
    mixed = mixed.bitwiseXOR(F.shiftrightunsigned(mixed, 29)) * three
    return mixed.bitwiseXOR(F.shiftrightunsigned(mixed, 32))


def _rotated(value: Column, bits: int) -> Column:
    return F.shiftleft(value, bits).bitwiseOR(F.shiftrightunsigned(value, 64 - bits))


def draw(seed: int, purpose: str) -> Column:
    """See `training.kernels.split.draw`."""
    return F.pmod(F.xxhash64(F.lit(seed), F.lit(purpose), F.col(RECORD_HASH)), F.lit(DRAWS))


def divided(rows: DataFrame, division: Division) -> DataFrame:
    """The rows with `PART` and `FOLD`: see `training.kernels.split.Division`."""
    parameters = division.parameters
    if parameters.split is Split.RANDOM:
        held_out = draw(parameters.seed, "held out") >= round(parameters.train_fraction * DRAWS)
        watched = draw(parameters.seed, "validation") < round(division.validation * DRAWS)
    else:
        held_out, watched = F.col(TIME) >= division.held_out_from, F.col(TIME) >= division.watched_from
    number = {part: F.lit(PARTS.index(part)).cast("tinyint") for part in PARTS}
    part = F.when(held_out, number[Part.HELD_OUT]).when(watched, number[Part.VALIDATION]).otherwise(number[Part.FIT])
    return rows.withColumns({PART: part, FOLD: (draw(parameters.seed, "fold") % parameters.folds).cast("int")})
