"""The options of a local Spark."""

import pytest

from training.spark.session import compiler_options


@pytest.mark.parametrize(("size", "quick"), [(24_300_000, True), (243_000_000, False), (0, False)])
def test_java_compiles_thoroughly_where_it_sees_enough_rows_to_gain_by_it(size: int, *, quick: bool) -> None:
    assert ("-XX:TieredStopAtLevel=1" in compiler_options(size)) == quick
