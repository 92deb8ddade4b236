"""Blocks of prepared rows as Spark stores them: one Spark row per block, with a blob of bytes per column.

Spark moves and stores the blobs without looking inside, because handling each number itself would cost more than
everything else. Unused columns are not read.
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa

PIECE = "_piece"
"""The column with the number of the piece that the rows were read from."""
WRITING = {
    # By default Parquet checks its page size after 100 rows, which would be gigabytes here.
    "parquet.page.size.row.check.min": "1",
    "parquet.enable.dictionary": "false",
    # Hashes and rates hardly compress, and every scan would pay for decompression.
    "compression": "none",
}


def packed(block: pa.RecordBatch) -> dict[str, bytes]:
    """Each column's blob."""
    return {name: _blob(block.select([name])) for name in block.schema.names}


def _blob(block: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, block.schema) as writer:
        writer.write_batch(block)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def unpacked(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The blocks in rows of blobs, without a copy."""
    for batch in batches:
        for row in range(batch.num_rows):
            columns = {name: _column(batch.column(name)[row]) for name in batch.schema.names}
            yield pa.RecordBatch.from_pydict(columns)


def _column(blob: pa.BinaryScalar) -> pa.Array:
    return pa.ipc.open_stream(blob.as_buffer()).read_next_batch().column(0)
