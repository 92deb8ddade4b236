"""What a local Spark is started with."""

import pytest

from training.datasets import describe
from training.engines.spark.session import compiler_options
from training.parameters import SyntheticDataset


@pytest.mark.parametrize(("rows", "quick"), [(100_000, True), (1_000_000, False)])
def test_java_compiles_thoroughly_where_the_rows_are_many_enough_to_gain_by_it(rows: int, *, quick: bool) -> None:
    options = compiler_options(describe(SyntheticDataset(rows=rows)).size)
    assert ("-XX:TieredStopAtLevel=1" in options) == quick


def test_data_of_unknown_size_is_left_to_java() -> None:
    assert compiler_options(0) == []
