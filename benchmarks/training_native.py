"""Native LightGBM on the very rows that a run encoded, with the same parameters: `fit` is measured against it.

The parameters are those that the run's model names, not those of our settings: what the engine sets itself is then the
same on both sides. It has a process of its own, so that its threads, like the run's, have the cores that it was started
on.
"""

import argparse
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
from pyarrow import RecordBatch
from sklearn.metrics import roc_auc_score

from features.bundle import MODEL
from features.encoder import Encoder
from features.schema import CRITEO
from training.engines.local import chunks
from training.kernels.columns import FEATURES, LABEL, PART, RAW, matrix, raw_columns, raw_inputs
from training.kernels.split import PARTS, Part
from training.model.fitted import REFIT_ROWS
from training.parameters import TrainingParameters

NOT_OF_THE_TREES = {
    "early_stopping_round",
    "local_listen_port",
    "num_iterations",
    "num_machines",
    "num_threads",
    "pre_partition",
    "tree_learner",
}
"""Parameters that say where a model was trained, or that are given anew."""

SWITCHES = {
    "boost_from_average",
    "deterministic",
    "enable_bundle",
    "extra_trees",
    "feature_pre_filter",
    "first_metric_only",
    "force_col_wise",
    "force_row_wise",
    "gpu_use_dp",
    "header",
    "is_enable_sparse",
    "is_unbalance",
    "lambdarank_norm",
    "linear_tree",
    "precise_float_parser",
    "reg_sqrt",
    "two_round",
    "uniform_drop",
    "use_missing",
    "xgboost_dart_mode",
    "zero_as_missing",
}
"""Parameters that a model tells as 0 or 1, and that LightGBM takes as words only."""


def main() -> None:
    """Fit on the files in `train`, score the held-out ones of `rows`, print seconds and AUC as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("bundle", type=Path)
    arguments = parser.parse_args()
    print(json.dumps(fit_and_score(arguments.folder, arguments.bundle, TrainingParameters())))


def fit_and_score(folder: Path, bundle: Path, parameters: TrainingParameters) -> dict[str, Any]:
    """`seconds` and `cpu_seconds` of building LightGBM's dataset and fitting, and the AUC on the held-out rows.

    Reading the rows is not counted: they are in memory, as 64-bit floats, when the clock starts.
    """
    inputs, label, part = _train(folder / "train")
    is_validation = part == PARTS.index(Part.VALIDATION)
    options = model_parameters((bundle / MODEL).read_text(encoding="utf-8"))
    options["num_threads"] = str(len(os.sched_getaffinity(0)))
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


def model_parameters(text: str) -> dict[str, str]:
    """The parameters that a model was trained with, as it tells them itself, without those of `NOT_OF_THE_TREES`."""
    block = text.partition("\nparameters:")[2].partition("\nend of parameters")[0]
    pairs = re.findall(r"^\[(\w+): (.+)\]$", block, re.MULTILINE)
    words = {"0": "false", "1": "true"}
    return {name: words[value] if name in SWITCHES else value for name, value in pairs if name not in NOT_OF_THE_TREES}


def _train(folder: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int8]]:
    """Inputs, labels and parts of the encoded rows."""
    batches = _batches(folder)
    inputs = np.concatenate([matrix(batch.column(FEATURES), len(CRITEO.encoded_features)) for batch in batches])
    label, part = (np.concatenate([batch.column(name).to_numpy() for batch in batches]) for name in (LABEL, PART))
    return inputs, label.astype(np.float64), part


def _held_out(folder: Path, encoder: Encoder) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
    """Inputs and labels of the rows that the run held out: those whose categories it kept as they were."""
    batches = [batch.filter(batch.column(RAW).is_valid()) for batch in _batches(folder)]
    raw = (raw_inputs([batch.column(name) for name in raw_columns(CRITEO)], CRITEO) for batch in batches)
    inputs = np.concatenate([encoder.encode(*part) for part in raw])
    return inputs, np.concatenate([batch.column(LABEL).to_numpy() for batch in batches])


def _batches(folder: Path) -> list[RecordBatch]:
    return [batch for file in chunks.files(folder) for batch in chunks.read(file)]


if __name__ == "__main__":
    main()
