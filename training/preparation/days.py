"""Count tables by day: those of a day that an earlier bundle has counted are taken from there and not counted again.

A row's part and fold follow from its own content, so a day's table is the same whatever other days are trained on, and
the tables of several days add up to exactly what one count of all their rows gives.
"""

import hashlib
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.schema import Schema
from training.datasets.manifest import WHOLE, Manifest
from training.datasets.source import DAY
from training.parameters import Split, TrainingParameters
from training.preparation.encode import count
from training.spark.identifiers import column
from training.spark.spark_paths import stored, to_read
from training.work import COMPLETE

FORMAT = 1
"""Of the tables, and of what decides about a row's part and fold: another one is not comparable."""
SUFFIX = ".parquet"


@dataclass(frozen=True, kw_only=True)
class DayCounts:
    """The table of `encode.count` over all days, that of each day by its name, and the days known before."""

    total: DataFrame
    tables: Mapping[str, DataFrame]
    known: tuple[str, ...] = field(default=())


def table_names(manifest: Manifest, schema: Schema, parameters: TrainingParameters) -> dict[str, str]:
    """What each day's table is called: a name that changes when the day's rows, or how they are counted, do.

    Empty where the days' content is not known, or where which rows are counted depends on other days.
    """
    if parameters.split is not Split.RANDOM:
        return {}
    names = {}
    for day, files in manifest.days.items():
        how = (FORMAT, parameters.seed, parameters.folds, parameters.train_fraction, schema.to_json().decode())
        digest = hashlib.sha256(repr((files, how)).encode()).hexdigest()
        names[day] = f"{day}.{digest[:16]}"
    return names


def count_days(
    rows: DataFrame,
    schema: Schema,
    parameters: TrainingParameters,
    *,
    names: Mapping[str, str],
    earlier: Path | None,
    folder: Path,
) -> DayCounts:
    """Count the training rows of each day whose table is not in the folder `earlier`, and add all days up.

    `names` are those of `table_names`; without any, all rows are one table. All machines of a cluster see
    `folder`, where the tables are written.
    """
    if not names:
        counted = count(rows, schema, parameters, folder=folder / f"counts-{WHOLE}")
        return DayCounts(total=counted, tables={WHOLE: counted})
    known, tables = [], {}
    for day, name in names.items():
        target = folder / f"counts-{name}"
        if earlier is not None and (table := earlier / f"{name}{SUFFIX}").is_file():
            known.append(day)
            tables[name] = _taken(rows.sparkSession, table, target, parameters)
        else:
            of_day = rows.where(column(DAY) == day) if len(names) > 1 else rows
            tables[name] = count(of_day, schema, parameters, folder=target)
    total = _added_up(tables.values(), folder / "counts-total")
    return DayCounts(total=total, tables=tables, known=tuple(known))


def _taken(spark: SparkSession, table: Path, target: Path, parameters: TrainingParameters) -> DataFrame:
    """A day's table of an earlier bundle, which lies on this machine, where all machines see it."""
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(table, target / f"part-00000{SUFFIX}")
    (target / COMPLETE).touch()
    by_fold = [f"{kind}_{fold}" for kind in ("rows", "clicks") for fold in range(parameters.folds)]
    return spark.read.parquet(to_read(target)).select("column", "hash", *by_fold)


def _added_up(tables: Collection[DataFrame], folder: Path) -> DataFrame:
    every = reduce(DataFrame.unionByName, tables)
    if len(tables) == 1:
        return every
    total = every.groupBy("column", "hash").agg(*(F.sum(name).alias(name) for name in every.columns[2:]))
    return stored(total, folder)
