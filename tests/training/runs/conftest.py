"""One small training run for all tests that look at what a run leaves behind, and the ways to read a dataset."""

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from features.schema import Schema
from tests.support.rows import Read, from_spark, read_locally, read_on_spark
from tests.support.training_runs import Run, train

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on 4,000 synthetic rows, in a folder whose name Spark would take for a pattern, or for encoded."""
    return train(tmp_path_factory.mktemp("run") / "a run [1] of 100%20")


@pytest.fixture(params=["local", pytest.param("spark", marks=pytest.mark.spark)])
def read(request: pytest.FixtureRequest) -> Read:
    """Either engine's way of reading a dataset."""
    if request.param == "local":
        return read_locally
    spark = request.getfixturevalue("spark")
    return lambda *dataset: _as_promised(*read_on_spark(spark, *dataset))


def _as_promised(frame: "DataFrame", schema: Schema) -> tuple[pd.DataFrame, Schema]:
    return from_spark(frame, schema), schema
