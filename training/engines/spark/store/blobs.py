"""Blocks of prepared rows as Spark keeps them: one row each, and in it a blob of bytes for each of the columns.

Spark moves, stores and finds them again wherever it runs, without looking into them: to take each number by itself
costs it more than all that is done to it. A column that nobody asks for is not read.
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa

PIECE = "_piece"
"""The column beside the blobs that has the number of the piece which the rows were read from."""
WRITING = {
    # Spark's Parquet looks how large its pages are after 100 rows, which is gigabytes of these.
    "parquet.page.size.row.check.min": "1",
    "parquet.enable.dictionary": "false",
    # Each scan would pay for unpacking again what hashes and rates hardly let grow smaller.
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
