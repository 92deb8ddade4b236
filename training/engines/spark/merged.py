"""What kernels give in several places as one table, here: Java moves blobs, and the kernel says how they add up."""

from collections.abc import Iterable
from functools import partial

import pyarrow as pa
from pyspark.sql import SparkSession

from training.engines.spark.groups import Function, Group, answers
from training.kernels.kernel import Kernel


def merged(session: SparkSession, groups: tuple[Group, ...], function: Function, kernel: Kernel) -> pa.Table:
    """What one run of the kernel over all rows gives; `function` runs it over the rows of some groups."""
    given = answers(session, groups, partial(_given, function=function))
    return kernel.merge(pa.Table.from_batches([batch for part in given for batch in part], kernel.schema))


def _given(groups: Iterable[Group], *, function: Function) -> list[pa.RecordBatch]:
    return list(function(groups))
