"""Which rows are held out, which ones early stopping watches, and the folds of the target encoding.

Everything follows from a row's own content and the seed, so it does not depend on files, partitions or their order;
equal records always fall on the same side.
"""

from enum import StrEnum

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.schema import Schema
from training.datasets.errors import DatasetError, required_timestamp
from training.parameters import Split, TrainingParameters
from training.spark.identifiers import column

RECORD_HASH = "_record_hash"
PART = "_part"
FOLD = "_fold"
DRAWS = 1_000_000
"""A draw is a whole number below this."""
MAX_VALIDATION_ROWS = 200_000
"""SynapseML sends the validation rows to every task; more of them would not make early stopping any better."""
CUT_STEPS = 1024


class SplitError(DatasetError):
    """Rows that cannot be divided as asked."""


class Part(StrEnum):
    """What a row is for."""

    FIT = "fit"
    VALIDATION = "validation"
    HELD_OUT = "held_out"


def draw(seed: int, purpose: str) -> Column:
    """A whole number from 0 to `DRAWS`, exclusive, from the row's record hash; independent between purposes."""
    return F.pmod(F.xxhash64(F.lit(seed), F.lit(purpose), F.col(RECORD_HASH)), F.lit(DRAWS))


def about(frame: DataFrame, most: int, *, rows: int, seed: int, purpose: str) -> DataFrame:
    """About `most` of the `rows` rows of `frame`, and all where there are no more.

    They are chosen by their content, and so the same ones in every run.
    """
    return frame if rows <= most else frame.where(draw(seed, purpose) < int(DRAWS * most / rows))


def held_out_at_random(parameters: TrainingParameters) -> Column:
    """Whether a row is held out by a random split."""
    return draw(parameters.seed, "held out") >= round(parameters.train_fraction * DRAWS)


def with_parts(rows: DataFrame, schema: Schema, parameters: TrainingParameters, *, count: int) -> DataFrame:
    """`rows`, of which there are `count`, with the columns `PART` (a `Part`) and `FOLD` (0 to `folds`, exclusive).

    Raises `NoTimestampError` for a split by time of a dataset without a timestamp, `SplitError` where all have one.
    """
    validation = min(parameters.validation_fraction, MAX_VALIDATION_ROWS / (count * parameters.train_fraction))
    match parameters.split:
        case Split.RANDOM:
            held_out = held_out_at_random(parameters)
            watched = draw(parameters.seed, "validation") < round(validation * DRAWS)
        case Split.TIME:
            timestamp = required_timestamp(schema.timestamp)
            time = column(timestamp)
            end = _time_cut(rows, timestamp, parameters.train_fraction)
            start = _time_cut(rows, timestamp, parameters.train_fraction * (1 - validation))
            held_out, watched = time >= end, time >= start
    part = F.when(held_out, Part.HELD_OUT.value).when(watched, Part.VALIDATION.value).otherwise(Part.FIT.value)
    return rows.withColumns(
        {PART: part, FOLD: (draw(parameters.seed, "fold") % parameters.folds).cast("int")},
    )


def _time_cut(rows: DataFrame, timestamp: str, fraction: float) -> int:
    """The microsecond before which `fraction` of the rows lie, found by counting rows in ever smaller steps of time."""
    time = column(timestamp)
    low, high, total = rows.agg(F.min(time), F.max(time), F.count(time)).collect()[0]
    if low is None or low == high:
        raise SplitError(
            f"`split: time` needs rows of different times, but all of `{timestamp}` is {low}. Set `split: random`."
        )
    before, wanted = 0, fraction * total
    while True:
        step = max(1, -(-(high - low + 1) // CUT_STEPS))
        index = F.floor((time - low) / step)
        inside = rows.where(time.between(low, high))
        counts: dict[int, int] = dict(inside.groupBy(index.alias("step")).count().collect())
        position = 0
        while before + counts.get(position, 0) <= wanted and position < CUT_STEPS:
            before += counts.get(position, 0)
            position += 1
        low = low + position * step
        high = min(high, low + step - 1)
        if step == 1:
            return int(low)
