import pytest
from pyspark.sql import SparkSession

from training.engines.spark.identifiers import column, quoted

pytestmark = pytest.mark.spark


@pytest.mark.parametrize("name", ["a.b", "a b", "`", "a`b`", "", "ä", "a,b", "x[0]"])
def test_a_quoted_name_is_that_column_alone(spark: SparkSession, name: str) -> None:
    frame = spark.createDataFrame([(1,)], ["plain"]).select(column("plain").alias(name or "empty"))
    assert frame.select(column(name or "empty")).columns == [name or "empty"]
    assert quoted(name) == "`" + name.replace("`", "``") + "`"
