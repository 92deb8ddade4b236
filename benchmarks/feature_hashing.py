"""The reference's alternative to our encoding: feature hashing, with native LightGBM on the same rows and split."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction import FeatureHasher
from sklearn.metrics import log_loss, roc_auc_score

from features.schema import Schema
from training.datasets import tables_of
from training.kernels.columns import CATEGORIES, LABEL, NUMBERS, matrix
from training.kernels.split import Part
from training.local.engine import LocalEngine, LocalRows
from training.parameters import CriteoDataset, TrainingParameters
from training.tables.progress import silent

HASHED_SLOTS = 2**18
"""The number of slots that the reference's notebook hashes into."""
REFERENCE_TREES, REFERENCE = 50, {"learning_rate": 0.1, "feature_fraction": 0.8}
"""The reference's hyperparameters that differ from ours."""
Rows = tuple[sparse.csr_matrix, npt.NDArray[np.int8]]
"""Hashed features and labels."""


def feature_hashing(sample: Path, parameters: TrainingParameters) -> dict[str, float]:
    """AUC and log loss on the held-out rows with numbers and categories hashed into one sparse vector."""
    parts = _split_rows(sample, parameters)
    inputs, label = parts[Part.HELD_OUT]
    probability = _fitted(parts, parameters).predict(inputs)
    return {"auc": float(roc_auc_score(label, probability)), "log_loss": float(log_loss(label, probability))}


def _split_rows(sample: Path, parameters: TrainingParameters) -> Mapping[Part, Rows]:
    """The rows of `sample` by part, divided exactly as in a training run with these parameters."""
    engine = LocalEngine(data_size=0)
    spec = tables_of(CriteoDataset(kind="criteo", path=str(sample)), None)
    with TemporaryDirectory() as folder, closing(engine):
        rows, found = engine.prepare(spec, Path(folder) / "rows", silent)
        divided = rows.divided(parameters, count=found["rows"])
        return {part: _hashed(divided.part(part), spec.joined_schema) for part in Part}


def _hashed(rows: LocalRows, schema: Schema) -> Rows:
    hasher = FeatureHasher(n_features=HASHED_SLOTS, input_type="pair", alternate_sign=False)
    inputs, labels = [], []
    for batch in rows.batches([LABEL, NUMBERS, CATEGORIES]):
        label, numbers, hashes = batch.columns
        pairs: list[list[tuple[str, Any]]] = [
            [(name, value) for name, value in zip(schema.numeric, row, strict=True) if not np.isnan(value)]
            for row in matrix(numbers, len(schema.numeric))
        ]
        for found, row in zip(pairs, matrix(hashes, len(schema.categorical)), strict=True):
            found.extend((f"{name}={value}", 1.0) for name, value in zip(schema.categorical, row, strict=True))
        inputs.append(hasher.transform(pairs))
        labels.append(label.to_numpy())
    return sparse.vstack(inputs), np.concatenate(labels)


def _fitted(parts: Mapping[Part, Rows], parameters: TrainingParameters) -> lightgbm.Booster:
    """Early stopping on the validation rows, then a fit on all training rows with the best number of trees, as ours
    does.

    Uses the reference's hyperparameters or ours, whichever have the lower validation loss. What the reference leaves
    open stays at LightGBM's default, because our regularisation suits our features and hurts hashed ones.
    """
    ours = {name: getattr(parameters, name) for name in REFERENCE}
    options = {
        "objective": "binary",
        "num_leaves": parameters.num_leaves,
        "seed": parameters.seed,
        "deterministic": True,
        "verbosity": -1,
    }
    fit, validation = (lightgbm.Dataset(*parts[part], free_raw_data=False) for part in (Part.FIT, Part.VALIDATION))

    def watched(trees: int, chosen: dict[str, float]) -> lightgbm.Booster:
        stop = lightgbm.early_stopping(parameters.early_stopping_rounds, verbose=False)
        return lightgbm.train(options | chosen, fit, trees, valid_sets=[validation], callbacks=[stop])

    fitted = [(watched(REFERENCE_TREES, REFERENCE), REFERENCE), (watched(parameters.num_iterations, ours), ours)]
    best, chosen = min(fitted, key=lambda pair: pair[0].best_score["valid_0"]["binary_logloss"])
    inputs, labels = zip(parts[Part.FIT], parts[Part.VALIDATION], strict=True)
    whole = lightgbm.Dataset(sparse.vstack(inputs), np.concatenate(labels))
    return lightgbm.train(options | chosen, whole, max(1, best.best_iteration))
