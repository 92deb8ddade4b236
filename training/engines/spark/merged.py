"""What kernels gave in several places, added up by Spark."""

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from training.kernels.kernel import Kernel


def merged(given: DataFrame, kernel: Kernel) -> pa.Table:
    """What one run over all rows would have given, here."""
    if kernel.by:
        sums = [getattr(F, how)(name).alias(name) for name, how in kernel.merged.items()]
        given = given.groupBy(*kernel.by).agg(*sums)
    table = given.select(kernel.schema.names).toPandas()
    return pa.Table.from_pandas(table, kernel.schema, preserve_index=False)
