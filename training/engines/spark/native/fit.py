"""LightGBM's own distributed learning on the encoded rows, in one barrier stage."""

import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
from py4j.protocol import Py4JError
from pyspark import SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from features.errors import PersonalizationError
from features.schema import Schema
from training.engines.spark.executors import all_needed, slots_of_each
from training.engines.spark.failure import root_cause
from training.engines.spark.interruptible import interruptible
from training.engines.spark.log import Follower
from training.engines.spark.native.machine import FITTED, Machine
from training.engines.spark.store.groups import Group
from training.model.fitted import STAGE, Fitted
from training.parameters import TrainingParameters
from training.progress import Progress, Report, background

_OF_THE_PLACE = {
    re.compile(rf"^\[{name}: .*\]$", re.MULTILINE): f"[{name}: {default}]"
    for name, default in {"num_threads": 0, "machines": "", "local_listen_port": 12400, "time_out": 120}.items()
}
"""Lines of LightGBM's model text that name the machines of the fit, and the defaults that replace them."""


class TaskLostError(PersonalizationError):
    """A process ended in the middle of a fit."""


def fit(
    session: SparkSession,
    groups: tuple[Group, ...],
    schema: Schema,
    parameters: TrainingParameters,
    *,
    rows: int,
    log: Path,
    progress: Progress,
) -> Fitted:
    """Fit on the `rows` encoded rows in `groups`; `log` is the local session's log."""
    spark = session.sparkContext
    machine = Machine(
        groups=groups,
        schema=schema,
        parameters=parameters,
        rows=rows,
        threads=slots_of_each(spark),
    )
    follower = Follower(log)
    tasks = slots(spark)
    fitting = session.range(0, tasks, 1, tasks).mapInArrow(machine, from_arrow_schema(FITTED), barrier=True)
    with (
        progress.stage(STAGE, "hand the rows to LightGBM"),
        background(lambda: _repeat(follower, progress)),
        all_needed(spark),
        _explained(),
    ):
        (found,) = interruptible(fitting, DataFrame.collect)
    _repeat(follower, progress)
    fitted: Fitted = pickle.loads(found.fitted)  # noqa: S301 - what a task of this run gave
    text = fitted.text
    for line, default in _OF_THE_PLACE.items():
        text = line.sub(default, text)
    return replace(fitted, text=text)


def slots(spark: SparkContext) -> int:
    """How many tasks run at once; with as many tasks, every machine gets at least one."""
    return spark.defaultParallelism


def _repeat(follower: Follower, progress: Progress) -> None:
    """Repeat the reports of a task on this machine."""
    for line in follower.lines():
        if line.startswith(f'{{"stage":"{STAGE}"'):
            report = msgspec.json.decode(line, type=Report)
            detail = report.message.removeprefix(f"{STAGE}: ").partition(", about ")[0]
            progress(STAGE, detail, done=report.done, total=report.total, seconds_left=report.seconds_left)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn Spark's error for a lost barrier task into `TaskLostError`."""
    try:
        yield
    except (Py4JError, PySparkException) as error:
        if "barrier task" not in str(error):
            raise
        raise TaskLostError(
            f"A process ended in the middle of the fit ({root_cause(error)}), and LightGBM can't continue without it. "
            "If nobody ended it, its machine ran out of memory: use fewer rows, or larger machines."
        ) from error
