"""Native LightGBM on the rows that a run encoded, with the same parameters: the baseline for `fit`.

The code is what LightGBM's documentation shows for rows in memory. It runs in its own process, so that its threads get
the same cores as the run's.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.metrics import roc_auc_score

from features.encoder import Encoder
from features.schema import CRITEO
from training.kernels.columns import FEATURES, LABEL, PART, RECORD_HASH, matrix, raw_columns, raw_rows
from training.kernels.split import PARTS, Part, held_out_at_random
from training.local import chunks
from training.local.fitting import native_parameters
from training.model.fitted import REFIT_ROWS
from training.parameters import TrainingParameters


def main() -> None:
    """Fit on the files in `train`, score the held-out ones of `rows`, print seconds and AUC as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("bundle", type=Path)
    arguments = parser.parse_args()
    print(json.dumps(fit_and_score(arguments.folder, arguments.bundle, TrainingParameters())))


def fit_and_score(folder: Path, bundle: Path, parameters: TrainingParameters) -> dict[str, Any]:
    """`seconds` and `cpu_seconds` of building LightGBM's dataset and fitting, and the AUC on the held-out rows.

    Reading the rows isn't counted: they are in memory, as 64-bit floats, when the clock starts.
    """
    inputs, label, part = _train(folder / "train")
    is_validation = part == PARTS.index(Part.VALIDATION)
    options = native_parameters(parameters.of_features(inputs.shape[1]))
    rows, labels = inputs[~is_validation], label[~is_validation]
    watched, watched_labels = inputs[is_validation], label[is_validation]
    began, cpu = time.perf_counter(), time.process_time()
    fit = lightgbm.Dataset(rows, labels)
    booster = lightgbm.train(
        options,
        fit,
        parameters.num_iterations,
        valid_sets=[fit.create_valid(watched, watched_labels)],
        callbacks=[lightgbm.early_stopping(parameters.early_stopping_rounds, verbose=False)],
    )
    if len(inputs) <= REFIT_ROWS:
        trees = booster.best_iteration or parameters.num_iterations
        booster = lightgbm.train(options, lightgbm.Dataset(inputs, label), trees)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    held_out, held_out_label = _held_out(folder / "rows", Encoder.load(bundle))
    auc = roc_auc_score(held_out_label, booster.predict(held_out))
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "auc": float(auc)}


def _train(folder: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int8]]:
    """Inputs, labels and parts of the encoded rows."""
    batches = _batches(folder)
    inputs = np.concatenate([matrix(batch.column(FEATURES), len(CRITEO.encoded_features)) for batch in batches])
    label, part = (np.concatenate([batch.column(name).to_numpy() for batch in batches]) for name in (LABEL, PART))
    return inputs, label.astype(np.float64), part


def _held_out(folder: Path, encoder: Encoder) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
    """Inputs and labels of the rows that a random split holds out."""
    parameters = TrainingParameters()
    batches = [
        batch.filter(pa.array(held_out_at_random(parameters, batch.column(RECORD_HASH).to_numpy())))
        for batch in _batches(folder)
    ]
    raw = (raw_rows([batch.column(name) for name in raw_columns(CRITEO)], CRITEO) for batch in batches)
    inputs = np.concatenate([part.encode(encoder) for part in raw])
    return inputs, np.concatenate([batch.column(LABEL).to_numpy() for batch in batches])


def _batches(folder: Path) -> list[pa.RecordBatch]:
    return [batch for file in chunks.files(folder) for batch in chunks.read(file)]


if __name__ == "__main__":
    main()
