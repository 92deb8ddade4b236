"""Native LightGBM on the very rows that a run encoded, with the same parameters: `fit` is measured against it.

The parameters are those that the run's model names, not those of our settings: what SynapseML does not hand on, or sets
itself, is then the same on both sides. It has a process of its own, so that its threads, like the run's, have the cores
that it was started on.
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
from pyarrow import Table, dataset
from sklearn.metrics import roc_auc_score

from features.bundle import MODEL
from features.encoder import Encoder
from features.schema import CRITEO
from training.model.fit import REFIT_ROWS
from training.parameters import TrainingParameters
from training.preparation.encode import FEATURES
from training.preparation.matrices import matrix
from training.preparation.prepare import CATEGORIES, NUMBERS, RAW
from training.preparation.split import PART, Part

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
    """Fit on the Parquet files in `train`, score the held-out ones of `rows`, print seconds and AUC as JSON."""
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
    is_validation = part == Part.VALIDATION.value
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


def _train(folder: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.object_]]:
    values = dataset.field(FEATURES, "values")
    columns = {"label": dataset.field(CRITEO.label), "values": values, "part": dataset.field(PART)}
    table = dataset.dataset(folder, format="parquet").to_table(columns=columns).combine_chunks()
    inputs = _matrix(table, "values", len(CRITEO.encoded_features))
    return inputs, table.column("label").to_numpy().astype(np.float64), table.column("part").to_numpy()


def _held_out(folder: Path, encoder: Encoder) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    """Inputs and labels of the rows that the run held out: those whose categories it kept as they were."""
    names = [CRITEO.label, NUMBERS, CATEGORIES]
    rows = dataset.dataset(folder, format="parquet").to_table(columns=names, filter=dataset.field(RAW).is_valid())
    table = rows.combine_chunks()
    numeric = _matrix(table, NUMBERS, len(CRITEO.numeric))
    inputs = encoder.encode(numeric, _matrix(table, CATEGORIES, len(CRITEO.categorical)))
    return inputs, table.column(CRITEO.label).to_numpy()


def _matrix(table: Table, name: str, width: int) -> npt.NDArray[Any]:
    return np.vstack([matrix(chunk, width) for chunk in table.column(name).chunks])


if __name__ == "__main__":
    main()
