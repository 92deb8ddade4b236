"""The number of threads changes no byte of a bundle, though it changes the order in which numbers are added up."""

from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from features.schema import Schema
from tests.support.criteo_rows import criteo
from tests.support.training_runs import train
from training.engines import chunks
from training.engines.fitting import fit
from training.kernels.columns import FEATURES, LABEL, PART, lists
from training.kernels.split import PARTS, Part
from training.parameters import TrainingParameters
from training.progress import Progress


def test_validation_losses_do_not_depend_on_the_number_of_threads(tmp_path: Path) -> None:
    drawn = np.random.default_rng(0)
    inputs = drawn.normal(size=(20_000, 4))
    label = drawn.random(20_000) < 1 / (1 + np.exp(-inputs[:, 0] - inputs[:, 1] * inputs[:, 2]))
    part = np.where(np.arange(20_000) % 3, PARTS.index(Part.FIT), PARTS.index(Part.VALIDATION)).astype(np.int8)
    rows = {LABEL: pa.array(label.astype(np.int8)), PART: pa.array(part), FEATURES: lists(inputs)}
    chunks.write(tmp_path / "0.arrow", [pa.RecordBatch.from_pydict(rows)])
    schema, parameters = Schema(numeric=tuple("abcd"), categorical=()), TrainingParameters(num_iterations=10)
    first, *others = (
        fit([tmp_path / "0.arrow"], schema, parameters, rows=20_000, progress=Progress(MagicMock()), threads=threads)
        for threads in (1, 2, 3)
    )
    assert len(first.losses) == 10
    assert [other.losses for other in others] == [first.losses] * 2


def test_two_numbers_of_threads_make_the_very_same_bundle(tmp_path: Path) -> None:
    hashes = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            hashes.append(train(tmp_path / str(threads), *criteo(8_000)).result.bundle_hash)
    assert hashes[0] == hashes[1]
