"""Varied requests to a kernel that was compiled with the address sanitiser: `python -m tests.support.sanitised_kernel`.

The process needs the sanitiser's library preloaded. It prints by how many bytes the memory that all C code holds has
grown, as the sanitiser counts it; a memory error ends the process with the sanitiser's report.
"""

import ctypes
import gc
import sys
from copy import deepcopy
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, cast
from unittest.mock import MagicMock

import lightgbm
import numpy as np
from msgspec import UNSET

from features.encoder import Encoder, Factors
from features.hashing import hash_value
from features.schema import Schema
from recommend.first_stage import ItemWeights
from scoring.engines.forest import open_forest
from scoring.model.encoding import RowEncoder
from scoring.model.model import KernelWeights, best_of
from scoring.model.records import Values
from scoring.native import Kernel

SCHEMA = Schema(
    numeric=("n", "m"),
    categorical=("user", "item", "genres", "words"),
    separators={"genres": "|", "words": ", "},
    crosses=(("user", "genres"), ("words", "item")),
    factors=("user", "item"),
)
TOGETHER = (1, 3, 4, 15, 16, 17, 100, 1_000)
"""How many rows go together, in turns: the trees compare 4 splits of a row at a time, or up to 16 rows."""
WARM = 3 * len(TOGETHER)


def kernel_at(path: str) -> Kernel:
    """The kernel in this file."""
    loader = ExtensionFileLoader("kernel", path)
    spec = spec_from_file_location("kernel", path, loader=loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return cast("Kernel", module)


def requests(number: int, rows: int) -> list[Values]:
    """`rows` records: missing and empty fields, long and short texts, integers, fields of many and of no values.

    Integers are new objects in each row: those that live on anyway would hide a leak.
    """
    generator = np.random.default_rng(number)
    texts: list[str | float | None] = [None, "", "a", "x" * 31, "ä€😀" * 11, 7, 2**62, -(2**63), 12.0]
    fields = ["", "|", "||", "a|b", " a |a|", "|".join(map(str, range(60))), ", ", "a, b,, c", None, 5]
    chosen = generator.integers(0, [[len(texts)], [len(texts)], [len(fields)], [len(fields)]], (4, rows))
    nan = float("nan")
    return [
        (
            None if number % 3 else float(at),
            nan,
            *(fresh(texts[one], at) for one in (user, item)),
            fields[genres],
            fields[words],
        )
        for at, (user, item, genres, words) in enumerate(chosen.T)
    ]


def fresh(value: str | float | None, at: int) -> str | float | None:
    """A new integer in place of an integer."""
    return value + at if isinstance(value, int) else value


def encoder() -> Encoder:
    """Tables that know some of the values."""
    values = [[hash_value(text) for text in ("a", "b", "7", "")] for _ in SCHEMA.categories]
    counts = [len(hashes) for hashes in values]
    entries = sum(counts)
    vectors = np.random.default_rng(0).normal(size=(2, len(values[0]) + 1, 6)).astype(np.float32)
    return Encoder(
        columns=SCHEMA.categories,
        offsets=np.cumsum([0, *counts], dtype=np.int64),
        hashes=np.concatenate([np.sort(np.array(hashes, dtype=np.int64)) for hashes in values]),
        rates=np.linspace(0, 1, entries, dtype=np.float32),
        log_counts=np.ones(entries, dtype=np.float32),
        unseen=np.zeros((len(counts), 2), dtype=np.float32),
        factors=Factors(columns=(0, 1), first=vectors[0], second=vectors[1]),
    )


def trees(model: Path) -> tuple[Any, ...]:
    """What a few trees over the encoder's inputs are prepared from; their file is `model`.

    Read once: Python keeps some memory each time that it opens a file.
    """
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(500, len(SCHEMA.encoded_features)))
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1}
    lightgbm.train(settings, lightgbm.Dataset(inputs, inputs.sum(axis=1) > 0), num_boost_round=3).save_model(model)
    recorder = MagicMock()
    open_forest(model, len(SCHEMA.encoded_features), recorder)
    return tuple(recorder.prepare_forest.call_args.args)


def main(path: str, rows: int) -> None:
    """Encode and score `rows` records, refuse a few, sum weights between items, and print the growth in bytes.

    The trees' model file is written beside the kernel.
    """
    kernel, tables, prepared = kernel_at(path), encoder(), trees(Path(path).with_name("model.txt"))
    plain = ItemWeights.cut(np.random.default_rng(0).normal(size=(50, 50)), largest=30)
    weights = KernelWeights(others=plain.others, weights=plain.weights, kernel=kernel)
    rounds = rows * len(TOGETHER) // sum(TOGETHER)
    held = ctypes.CDLL(None)["__sanitizer_get_current_allocated_bytes"]
    held.restype = ctypes.c_size_t

    def work(number: int) -> None:
        records = requests(number, TOGETHER[number % len(TOGETHER)])
        assert 0 < kernel.given(tuple(records), None, UNSET) <= len(records) * len(SCHEMA.fields)
        found = RowEncoder(SCHEMA, tables, kernel)
        forest = kernel.prepare_forest(*deepcopy(prepared))
        assert len(kernel.predict(forest, found.encode(records))) == len(records)
        history = np.arange(number % 50)
        weights.reasons(history, best_of(kernel, weights.scores(history), number % 7), number % 4)
        try:
            found.encode([*records[:3], (None, None, "a", b"no text", "a|b", "")])  # type: ignore[list-item]
        except TypeError:
            return
        raise AssertionError("bytes are no text")

    for number in range(WARM):
        work(number)
    gc.collect()
    before = held()
    for number in range(rounds):
        work(number)
    gc.collect()
    sys.stdout.write(f"{held() - before}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
