"""Native LightGBM on the very rows that a run encoded, with the same parameters: `fit` is measured against it.

It has a process of its own, so that its threads, like the run's, have the cores that it was started on.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
from pyarrow import dataset
from sklearn.metrics import roc_auc_score

from features.schema import CRITEO
from training.fit import REFIT_ROWS
from training.parameters import TrainingParameters
from training.split import PART, Part


def main() -> None:
    """Fit on the Parquet files in `train`, score those in `held_out`, print seconds and AUC as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    print(json.dumps(fit_and_score(folder, TrainingParameters())))


def fit_and_score(folder: Path, parameters: TrainingParameters) -> dict[str, Any]:
    """`seconds` and `cpu_seconds` of building LightGBM's dataset and fitting, and the AUC on the held-out rows.

    Reading the rows is not counted: they are in memory, as 64-bit floats, when the clock starts.
    """
    matrix, label, part = _read(folder / "train")
    held_out, held_out_label, _ = _read(folder / "held_out")
    is_validation = part == Part.VALIDATION.value
    options = {
        "objective": "binary",
        "metric": "binary_logloss",
        "num_leaves": parameters.num_leaves,
        "learning_rate": parameters.learning_rate,
        "feature_fraction": parameters.feature_fraction,
        "feature_fraction_bynode": parameters.feature_fraction_by_node,
        "min_data_in_leaf": parameters.min_data_in_leaf,
        "lambda_l2": parameters.lambda_l2,
        "seed": parameters.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": len(os.sched_getaffinity(0)),
        "verbosity": -1,
    }
    rows, labels = matrix[~is_validation], label[~is_validation]
    watched, watched_labels = matrix[is_validation], label[is_validation]
    began, cpu = time.perf_counter(), time.process_time()
    fit = lightgbm.Dataset(rows, labels)
    booster = lightgbm.train(
        options,
        fit,
        parameters.num_iterations,
        valid_sets=[fit.create_valid(watched, watched_labels)],
        callbacks=[lightgbm.early_stopping(parameters.early_stopping_rounds, verbose=False)],
    )
    if len(matrix) <= REFIT_ROWS:
        trees = booster.best_iteration or parameters.num_iterations
        booster = lightgbm.train(options, lightgbm.Dataset(matrix, label), trees)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    auc = roc_auc_score(held_out_label, booster.predict(held_out))
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "auc": float(auc)}


def _read(folder: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.object_]]:
    table = dataset.dataset(folder, format="parquet").to_table()
    columns = [table.column(name).to_numpy().astype(np.float64) for name in CRITEO.encoded_features]
    label = table.column(CRITEO.label).to_numpy().astype(np.float64)
    return np.column_stack(columns), label, table.column(PART).to_numpy()


if __name__ == "__main__":
    main()
