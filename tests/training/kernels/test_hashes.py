"""The hashes of many values at once are those of one value after the other, by the package `xxhash`."""

import struct

import numpy as np
import pyarrow as pa
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from features.hashing import hash_value, hash_whole_numbers
from training.kernels import xxh64

TEXTS = st.text(max_size=70)
SEEDS = st.integers(0, (1 << 64) - 1)


def expected(content: bytes, seed: int) -> int:
    return xxhash.xxh64_intdigest(content, seed)


@given(st.lists(st.tuples(st.none() | TEXTS, SEEDS), min_size=1, max_size=40))
def test_a_text_is_hashed_from_its_own_seed_and_a_null_leaves_the_seed(rows: list[tuple[str | None, int]]) -> None:
    texts, seeds = zip(*rows, strict=True)
    hashes = xxh64.of_texts(pa.array(texts, pa.string()), np.array(seeds, dtype=np.uint64))
    assert hashes.tolist() == [seed if text is None else expected(text.encode(), seed) for text, seed in rows]


@given(st.lists(TEXTS, min_size=4, max_size=40), st.integers(0, 3))
def test_texts_in_the_middle_of_an_array_are_hashed_as_on_their_own(texts: list[str], start: int) -> None:
    part = pa.array(texts, pa.string()).slice(start, len(texts) - start)
    assert xxh64.distinct_texts(part).tolist() == [hash_value(text) for text in texts[start:]]


@given(st.lists(st.tuples(st.integers(-(1 << 63), (1 << 63) - 1), SEEDS), min_size=1, max_size=40))
def test_a_whole_number_is_hashed_as_its_eight_bytes(rows: list[tuple[int, int]]) -> None:
    values, seeds = zip(*rows, strict=True)
    hashes = hash_whole_numbers(np.array(values, dtype=np.int64), np.array(seeds, dtype=np.uint64))
    assert hashes.tolist() == [expected(struct.pack("<q", value), seed) for value, seed in rows]
