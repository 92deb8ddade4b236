"""One Spark for all tests: starting it takes seconds, and a process can have but one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from pyspark.sql import SparkSession

from training import log
from training.parameters import TrainingParameters
from training.session import spark_session

# Each test's Spark lives for seconds: compiling its code thoroughly would cost more than the code then saves.
os.environ["JAVA_TOOL_OPTIONS"] = "-XX:TieredStopAtLevel=1"

# How long an example takes says nothing on a machine that does other things too.
settings.register_profile("project", deadline=None)
settings.load_profile("project")


@pytest.fixture(scope="session")
def spark_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of the session `spark`."""
    return tmp_path_factory.mktemp("spark") / log.NAME


@pytest.fixture(scope="session")
def spark(spark_log: Path) -> Iterator[SparkSession]:
    """A local session as training itself starts it."""
    session = spark_session(TrainingParameters(driver_memory_gib=2), log=spark_log)
    yield session
    session.stop()
