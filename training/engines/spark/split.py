"""What `training.kernels.split` says about rows, as expressions of Spark."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.schema import Schema
from training.datasets.errors import required_timestamp
from training.kernels.columns import FOLD, PART, RECORD_HASH, TIME
from training.kernels.split import DRAWS, MAX_VALIDATION_ROWS, PARTS, Part, SplitError
from training.parameters import Split, TrainingParameters

CUT_STEPS = 1024


def draw(seed: int, purpose: str) -> Column:
    """A whole number from 0 to `DRAWS`, exclusive, from the row's record hash; independent between purposes."""
    return F.pmod(F.xxhash64(F.lit(seed), F.lit(purpose), F.col(RECORD_HASH)), F.lit(DRAWS))


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
            time = F.col(TIME)
            end = _time_cut(rows, timestamp, parameters.train_fraction)
            start = _time_cut(rows, timestamp, parameters.train_fraction * (1 - validation))
            held_out, watched = time >= end, time >= start
    number = {part: F.lit(PARTS.index(part)).cast("tinyint") for part in PARTS}
    part = F.when(held_out, number[Part.HELD_OUT]).when(watched, number[Part.VALIDATION]).otherwise(number[Part.FIT])
    return rows.withColumns(
        {PART: part, FOLD: (draw(parameters.seed, "fold") % parameters.folds).cast("int")},
    )


def _time_cut(rows: DataFrame, timestamp: str, fraction: float) -> int:
    """The microsecond before which `fraction` of the rows lie, found by counting rows in ever smaller steps of time."""
    time = F.col(TIME)
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
