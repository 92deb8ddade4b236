"""A dataset's rows before anybody has read them: what is wrong with them shows at their first use, in the same pass."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that every Spark program uses

from features.schema import Schema
from training.datasets.errors import DatasetError
from training.engines.spark.identifiers import column
from training.engines.spark.reading.found import Found

PROBLEM = "_problem"
DAY = "_day"
"""The partition that a row comes from, where a dataset has several."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """`frame` has the columns of `schema`, `DAY` if there are several, and `PROBLEM`, true for a row of no use.

    `explain` looks, slowly, for what Spark could not read; `check` raises the `DatasetError` that fits what was found.
    """

    frame: DataFrame
    schema: Schema
    explain: Callable[[], DatasetError | None]
    check: Callable[[Found], None]

    @contextmanager
    def reading(self) -> Iterator[None]:
        """The block that reads `frame`: files that cannot be read become the `DatasetError` that says why."""
        try:
            yield
        except Py4JJavaError as error:
            explained = self.explain()
            if explained is None:
                raise
            raise explained from error

    def require_right(self, rows: DataFrame, *, label: str) -> Found:
        """Check `rows`, which are `frame` or made from it, and return how many there are; raises a `DatasetError`."""
        found = rows.agg(F.count("*"), F.count_if(PROBLEM), F.coalesce(F.sum(column(label)), F.lit(0)))
        count, problems, clicks = found.collect()[0]
        result = Found(rows=count, problems=problems, clicks=clicks)
        self.check(result)
        return result
