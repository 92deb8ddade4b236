import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.schema import Schema
from training.datasets.errors import NoTimestampError
from training.engines.spark.split import draw, with_parts
from training.kernels.columns import FOLD, PART, RECORD_HASH, TIME
from training.kernels.split import PARTS, Part, SplitError
from training.parameters import Split, TrainingParameters

pytestmark = pytest.mark.spark

SCHEMA = Schema(numeric=("age",), categorical=(), timestamp="at")
ROWS = 10_000


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    """10,000 distinct records, one a minute on average but in bursts."""
    minutes = (F.col("id") * F.col("id") / ROWS).cast("long")
    frame = spark.range(ROWS).select((minutes * 60_000_000).alias(TIME), F.xxhash64("id").alias(RECORD_HASH))
    return frame.cache()


def sizes(split: DataFrame, column: str) -> dict[str | int, int]:
    return dict(split.groupBy(column).count().collect())


def test_a_random_split_has_the_shares_that_were_asked_for(rows: DataFrame) -> None:
    parameters = TrainingParameters(train_fraction=0.8, validation_fraction=0.1)
    parts = sizes(with_parts(rows, SCHEMA, parameters, count=ROWS), PART)
    assert parts[PARTS.index(Part.HELD_OUT)] == pytest.approx(2_000, abs=150)
    assert parts[PARTS.index(Part.VALIDATION)] == pytest.approx(800, abs=100)
    assert sum(parts.values()) == ROWS


def test_folds_are_of_about_equal_size(rows: DataFrame) -> None:
    folds = sizes(with_parts(rows, SCHEMA, TrainingParameters(folds=4), count=ROWS), FOLD)
    assert sorted(folds) == [0, 1, 2, 3]
    assert all(size == pytest.approx(2_500, abs=200) for size in folds.values())


def test_a_fold_says_nothing_about_the_part(rows: DataFrame) -> None:
    """A draw of its own agrees with the others as often as chance has it."""
    parameters = TrainingParameters(folds=4)
    split = with_parts(rows, SCHEMA, parameters, count=ROWS)
    for purpose in ("held out", "validation"):
        same = split.where(draw(parameters.seed, purpose) % 4 == F.col(FOLD)).count()
        assert same == pytest.approx(2_500, abs=200), purpose


def test_a_split_depends_on_the_record_and_the_seed_alone(rows: DataFrame) -> None:
    first = with_parts(rows, SCHEMA, TrainingParameters(), count=ROWS)
    shuffled = with_parts(
        rows.repartition(7, TIME).orderBy(F.desc(RECORD_HASH)), SCHEMA, TrainingParameters(), count=ROWS
    )
    other = with_parts(rows, SCHEMA, TrainingParameters(seed=7), count=ROWS)
    assert first.exceptAll(shuffled).count() == 0
    assert first.exceptAll(other).count() > 0


def test_a_split_by_time_holds_out_the_latest_rows(rows: DataFrame) -> None:
    parameters = TrainingParameters(split=Split.TIME, train_fraction=0.8, validation_fraction=0.1)
    split = with_parts(rows, SCHEMA, parameters, count=ROWS)
    limits = [F.min(TIME).alias("first"), F.max(TIME).alias("last"), F.count("*").alias("n")]
    spans = {row[PART]: row for row in split.groupBy(PART).agg(*limits).collect()}
    fit, validation, held_out = (spans[PARTS.index(part)] for part in (Part.FIT, Part.VALIDATION, Part.HELD_OUT))
    assert fit["last"] < validation["first"] <= validation["last"] < held_out["first"]
    assert held_out["n"] == pytest.approx(2_000, abs=5)
    assert validation["n"] == pytest.approx(800, abs=5)


def test_a_split_by_time_needs_a_timestamp(rows: DataFrame) -> None:
    with pytest.raises(NoTimestampError, match="needs a dataset with a timestamp"):
        with_parts(rows, Schema(numeric=("age",), categorical=()), TrainingParameters(split=Split.TIME), count=ROWS)


def test_a_split_by_time_needs_different_times(rows: DataFrame) -> None:
    with pytest.raises(SplitError, match="rows of different times"):
        with_parts(
            rows.withColumn(TIME, F.lit(5).cast("long")), SCHEMA, TrainingParameters(split=Split.TIME), count=ROWS
        )
