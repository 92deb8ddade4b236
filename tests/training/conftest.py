"""One small training run for all tests that look at what a run leaves behind."""

import io
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from training.arguments import parse
from training.datasets import describe
from training.progress import Format, Progress
from training.result import Result
from training.stages.pipeline import Pipeline

ROWS = ("--rows", "4000")
OPTIONS = (
    *("--num-iterations", "12", "--num-leaves", "8", "--early-stopping-rounds", "0"),
    *("--feature-fraction-by-node", "0.7"),
)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run: its result, its folder, and the lines of its progress."""

    result: Result
    output: Path
    progress: list[str]


def train(spark: SparkSession, log: Path, output: Path, *options: str) -> Run:
    """Train in this process, on synthetic rows unless the options name a dataset."""
    arguments = parse([*OPTIONS, *(() if "--dataset" in options else ROWS), *options])
    stream = io.StringIO()
    progress = Progress(stream, style=Format.JSON)
    manifest = describe(arguments.dataset)
    result = Pipeline(spark, arguments, manifest, output=output, log=log, progress=progress).run()
    return Run(result=result, output=output, progress=stream.getvalue().splitlines())


@pytest.fixture(scope="session")
def run(spark: SparkSession, spark_log: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on 4,000 synthetic rows, in a folder whose name Spark would take for a pattern, or for encoded."""
    return train(spark, spark_log, tmp_path_factory.mktemp("run") / "a run [1] of 100%20")
