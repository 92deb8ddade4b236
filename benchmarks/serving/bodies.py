"""The requests' records, in three mixes; consecutive records differ.

The model has the default settings, and was trained on none of the records.
"""

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from features.bundle import Bundle
from features.schema import CRITEO
from scoring.native import KERNEL
from tests.support.bundles import Record, to_rows
from tests.support.criteo_rows import SEED, criteo, drawn

RECORDS = 20_000
TRAINED_ROWS = 100_000
OTHER_SEED = 7
"""The seed of rows that the model wasn't trained on."""

AS_IT_COMES, HEAVY_TAIL, ALL_NEW = "as the data comes", "heavy tail", "all new"


@dataclass(frozen=True, kw_only=True)
class Mix:
    """Records as clients send them, and encoded for the model, float64[n, f]."""

    records: list[Record]
    encoded: npt.NDArray[np.float64]

    def rows(self) -> list[list[float]]:
        """The encoded records for servers that accept no missing numbers; these are 0."""
        rows: list[list[float]] = np.nan_to_num(self.encoded).tolist()
        return rows


def train(folder: Path, *dataset: str) -> Path:
    """Train a model with the default settings in `folder`, and return its bundle. `dataset` are the options for another
    dataset than `TRAINED_ROWS` rows like Criteo's.

    Exits with an error message if the service would run without its compiled kernel.
    """
    if KERNEL is None:
        raise SystemExit("the service's kernel is not compiled here; run `make setup`, which needs a C compiler (`cc`)")
    options = ("--dataset", *dataset) if dataset else criteo(TRAINED_ROWS)
    command = [sys.executable, "-m", "training", *options, "--output", f"{folder}/run"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder / "run" / "bundle"


def mixes(bundle: Bundle) -> dict[str, Mix]:
    """`RECORDS` records of each mix, which differ in their categories.

    Natural distribution: rows like the training rows. Heavy tail: each value of the training rows is equally likely, so
    that frequent ones are rare. All new: unseen values.
    """
    records = _drawn(seed=OTHER_SEED, rows=RECORDS)
    generator = np.random.default_rng(OTHER_SEED)
    known = _known_values()

    def any_known(name: str) -> list[str]:
        values: list[str] = generator.choice(known[name], RECORDS).tolist()
        return values

    def any_new(_name: str) -> list[str]:
        return [f"new-{number:08x}" for number in generator.integers(0, 2**32, RECORDS)]

    found = {
        AS_IT_COMES: records,
        HEAVY_TAIL: _with_categories(records, any_known),
        ALL_NEW: _with_categories(records, any_new),
    }
    return {name: Mix(records=mix, encoded=_encode(bundle, mix)) for name, mix in found.items()}


def _drawn(*, seed: int, rows: int) -> list[Record]:
    return [row for batch, _ in drawn(rows, seed=seed) for row in batch.select(list(CRITEO.features)).to_pylist()]


def _known_values() -> Mapping[str, list[str]]:
    rows = _drawn(seed=SEED, rows=TRAINED_ROWS)
    return {name: sorted({str(row[name]) for row in rows if row[name]}) for name in CRITEO.categorical}


def _with_categories(records: list[Record], draw: Callable[[str], list[str]]) -> list[Record]:
    columns = {name: draw(name) for name in CRITEO.categorical}
    return [record | {name: values[row] for name, values in columns.items()} for row, record in enumerate(records)]


def _encode(bundle: Bundle, records: list[Record]) -> npt.NDArray[np.float64]:
    return to_rows(bundle.schema, records).encode(bundle.click_model.encoder)


def together(items: list[Any], size: int) -> list[list[Any]]:
    """The items in lists of `size`, without the remainder."""
    return [items[start : start + size] for start in range(0, len(items) - size + 1, size)]
