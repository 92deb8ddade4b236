"""Golden records: held-out rows with the probability that Spark gave them, for every service to reproduce."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.bundle import GoldenRecord
from features.schema import Schema
from training.encode import FoldEncoder, encode
from training.fit import PROBABILITY, Fitted, score
from training.prepare import RAW
from training.split import RECORD_HASH

GOLDEN_RECORDS = 100


def golden_records(
    held_out: DataFrame, schema: Schema, encoder: FoldEncoder, fitted: Fitted
) -> tuple[GoldenRecord, ...]:
    """About `GOLDEN_RECORDS` of the prepared held-out rows, chosen by their content and so the same in every run."""
    distinct = held_out.dropDuplicates([RECORD_HASH]).orderBy(RECORD_HASH).limit(GOLDEN_RECORDS)
    chosen = distinct.coalesce(1).cache()
    encoded = encode(chosen, schema, encoder, out_of_fold=False, extra=RECORD_HASH)
    probabilities = {
        row[RECORD_HASH]: row[PROBABILITY] for row in score(encoded, schema, fitted, extra=[RECORD_HASH]).collect()
    }
    records = chosen.select(RECORD_HASH, *schema.numeric, F.col(f"{RAW}.*")).collect()
    return tuple(
        GoldenRecord(record={name: row[name] for name in schema.features}, probability=probabilities[row[RECORD_HASH]])
        for row in sorted(records, key=lambda row: row[RECORD_HASH])
    )
