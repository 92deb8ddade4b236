"""A dataset's rows on Spark: read, converted and hashed in tasks, and stored as Parquet with equal rows numbered."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from pyspark.sql.window import Window

from features.schema import Schema
from training.datasets.described.columns import table_rules
from training.datasets.described.spec import TablesSpec
from training.datasets.progress import Reporter
from training.engines.reading.tables import check, explain, unchanged
from training.engines.spark.converted import found_in, rows_of
from training.engines.spark.interruptible import interruptible
from training.engines.spark.paths import stored
from training.engines.spark.scans import mapped
from training.engines.spark.tables import NAMED, hashed
from training.kernels.columns import LABEL, RECORD_HASH
from training.kernels.hashed import numbered, types_of
from training.kernels.kernel import Kernel

WRITING = {"maxRecordsPerFile": "50000"}
"""Even rows of one compressed file, which one task reads, are spread over all cores from here on."""
UNREADABLE = ("EOFException", "ZipException", "IncorrectHeader", "ParquetDecodingException", "not a Parquet file")
"""What Java says of damaged files."""
AMONG_EQUAL = "_number"


def prepare(session: SparkSession, spec: TablesSpec, folder: Path, report: Reporter) -> tuple[DataFrame, Counter[str]]:
    """See `training.protocols.TrainingEngine`."""
    rules = table_rules(spec)
    with unchanged(rules):
        try:
            rows, before = hashed(session, spec, rules, folder)
            frame = stored(rows, folder, options=WRITING)
        except Py4JJavaError as error:
            if any(sign in str(error) for sign in UNREADABLE):
                explain(spec, rules, error)
            raise
        found, fault = found_in(frame)
        found += before
        naming = [file for rule in rules.values() for file in rule.files if file.is_text and not file.text.columns]
        if fault or found[NAMED] != len(naming):
            explain(spec, rules, ValueError(fault or "a line is the same as the first, which names the columns"))
    check(found, spec, rules, report)
    return _numbered(rows_of(frame), spec.joined_schema, folder), found


def _numbered(rows: DataFrame, schema: Schema, folder: Path) -> DataFrame:
    """The rows, again written where some of them are equal. Those few are sorted, and not all."""
    place, again = (folder.with_name(f"{folder.name}-{kind}") for kind in ("repeated", "numbered"))
    repeated = stored(rows.groupBy(RECORD_HASH).count().where("count > 1").select(RECORD_HASH), place)
    if not interruptible(repeated.limit(1), DataFrame.collect):
        return rows
    others, equal = (rows.join(repeated, RECORD_HASH, how) for how in ("left_anti", "left_semi"))
    number = F.row_number().over(Window.partitionBy(RECORD_HASH, LABEL).orderBy(RECORD_HASH)) - 1
    types = types_of(schema)
    kernel = Kernel(columns=(*types.names, AMONG_EQUAL), schema=types, function=_with_number)
    differing = mapped(equal.withColumn(AMONG_EQUAL, number.cast("bigint")), kernel)
    return stored(others.unionByName(differing), again, options=WRITING)


def _with_number(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        hashes = numbered(*(batch.column(name).to_numpy() for name in (RECORD_HASH, AMONG_EQUAL)))
        names = batch.schema.names[:-1]
        yield pa.RecordBatch.from_arrays(
            [pa.array(hashes) if name == RECORD_HASH else batch.column(name) for name in names], names=names
        )
