"""Varied requests to a kernel that was compiled with the address sanitiser: `python -m tests.support.sanitised_kernel`.

The process needs the sanitiser's library preloaded. It prints by how many bytes the memory that all C code holds has
grown, as the sanitiser counts it; a memory error ends the process with the sanitiser's report.
"""

import ctypes
import gc
import sys
from copy import deepcopy
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np

from features.bundle import Bundle
from features.schema import Schema
from recommend.first_stage import ItemWeights
from scoring.engines.forest import open_forest
from scoring.model.encoding import RowEncoder
from scoring.model.model import KernelWeights, best_of
from scoring.model.records import Values
from scoring.native import load
from tests.support.bundles import make_bundle

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
KNOWN = ("00000001", "01000001")
"""A frequent user and item of `make_bundle`."""


def requests(number: int, rows: int) -> list[Values]:
    """`rows` records: missing and empty fields, long and short texts, integers, fields of many and of no values.

    Integers are new objects in each row: those that live on anyway would hide a leak.
    """
    generator = np.random.default_rng(number)
    texts: list[str | float | None] = [None, "", *KNOWN, "x" * 31, "ä€😀" * 11, 7, 2**62, -(2**63), 12.0]
    fields = ["", "|", "||", "a|b", " 02000001 |a|02000001|", "|".join(map(str, range(60))), ", ", "a, b,, c", None, 5]
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


def main(path: str, rows: int) -> None:
    """Encode and score `rows` records, refuse a few, sum weights between items, and print the growth in bytes.

    The model is written beside the kernel, and its trees are read once: Python keeps some memory each time that it
    opens a file.
    """
    kernel = load(Path(path))
    assert kernel is not None
    clicks = Bundle.load(make_bundle(Path(path).with_name("bundle"), schema=SCHEMA, trees=3)).click_model
    recorder = MagicMock()
    open_forest(clicks.trees, len(SCHEMA.encoded_features), recorder)
    plain = ItemWeights.cut(np.random.default_rng(0).normal(size=(50, 50)), largest=30)
    weights = KernelWeights(**vars(plain), kernel=kernel)
    rounds = rows * len(TOGETHER) // sum(TOGETHER)
    held = ctypes.CDLL(None)["__sanitizer_get_current_allocated_bytes"]
    held.restype = ctypes.c_size_t

    def work(number: int) -> None:
        records = requests(number, TOGETHER[number % len(TOGETHER)])
        found = RowEncoder(SCHEMA, clicks.encoder, kernel)
        forest = kernel.prepare_forest(*deepcopy(recorder.prepare_forest.call_args.args))
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
