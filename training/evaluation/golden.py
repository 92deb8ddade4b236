"""Golden records: held-out rows with the probability that Spark gave them, for every service to reproduce."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.bundle import GoldenRecord
from features.schema import Schema
from training.metrics.evaluate import PROBABILITY
from training.model.fit import Fitted, score
from training.preparation.encode import FoldEncoder, encode
from training.preparation.prepare import as_they_were
from training.preparation.split import RECORD_HASH

GOLDEN_RECORDS = 100


def golden_records(
    held_out: DataFrame, schema: Schema, encoder: FoldEncoder, fitted: Fitted
) -> tuple[GoldenRecord, ...]:
    """At most `GOLDEN_RECORDS` distinct held-out rows, chosen by their content and so the same in every run."""
    # Only the hashes are sorted, not whole rows.
    lowest = held_out.select(RECORD_HASH).orderBy(RECORD_HASH).limit(GOLDEN_RECORDS).collect()
    chosen = held_out.where(F.col(RECORD_HASH) <= lowest[-1][RECORD_HASH]).coalesce(1).cache()
    encoded = encode(chosen, schema, encoder, out_of_fold=False, extra=[RECORD_HASH])
    probabilities = {
        row[RECORD_HASH]: row[PROBABILITY]
        for row in score(encoded, schema, fitted.transformer, extra=[RECORD_HASH]).collect()
    }
    rows = as_they_were(chosen, schema, RECORD_HASH).collect()
    chosen.unpersist()
    records = {row[RECORD_HASH]: {name: row[name] for name in schema.features} for row in rows}
    return tuple(GoldenRecord(record=records[key], probability=probabilities[key]) for key in sorted(records))
