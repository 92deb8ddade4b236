"""Two common alternatives to our encoding, with native LightGBM on the same rows and the same split."""

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction import FeatureHasher
from sklearn.metrics import log_loss, roc_auc_score

from features.schema import Schema
from training.datasets.progress import silent
from training.engines.local.engine import LocalEngine
from training.engines.local.rows import LocalRows
from training.kernels.columns import CATEGORIES, LABEL, NUMBERS, matrix
from training.kernels.split import Part
from training.parameters import CriteoDataset, TrainingParameters

HASHED_SLOTS = 2**18
"""The number of slots that the reference's notebook hashes into."""
REFERENCE_TREES, REFERENCE = 50, {"learning_rate": 0.1, "feature_fraction": 0.8}
"""The reference's hyperparameters that differ from ours."""
RARE_ROWS = 10
"""Categories seen in fewer training rows share one code, as in the measured table of Criteo's first rows."""


def split_rows(sample: Path, parameters: TrainingParameters) -> tuple[Mapping[Part, pd.DataFrame], Schema]:
    """The rows of `sample` by part, divided exactly as in a training run with these parameters."""
    engine = LocalEngine(data_size=0)
    source = engine.open_source(CriteoDataset(kind="criteo", path=str(sample)), None, silent)
    schema = source.schema
    with TemporaryDirectory() as folder, closing(engine):
        rows, found = source.prepare(Path(folder) / "rows")
        divided = rows.divided(parameters, count=found["rows"])
        return {part: _frame(divided.part(part), schema) for part in Part}, schema


def _frame(rows: LocalRows, schema: Schema) -> pd.DataFrame:
    """Labels, numbers and hashed categories."""
    labels, numbers, hashes = zip(*(batch.columns for batch in rows.batches([LABEL, NUMBERS, CATEGORIES])), strict=True)
    columns = {schema.label: np.concatenate([part.to_numpy() for part in labels])}
    for names, lists in ((schema.numeric, numbers), (schema.categorical, hashes)):
        values = np.concatenate([matrix(part, len(names)) for part in lists])
        columns |= dict(zip(names, values.T, strict=True))
    return pd.DataFrame(columns)


def feature_hashing(
    parts: Mapping[Part, pd.DataFrame], schema: Schema, parameters: TrainingParameters
) -> dict[str, float]:
    """AUC and log loss on the held-out rows with numbers and categories hashed into one sparse vector."""
    hasher = FeatureHasher(n_features=HASHED_SLOTS, input_type="pair", alternate_sign=False)

    def matrix(frame: pd.DataFrame) -> sparse.csr_matrix:
        records = frame[list(schema.features)].to_dict("records")
        return hasher.transform(_pairs(record, schema) for record in records)

    return _scores(
        {part: matrix(frame) for part, frame in parts.items()}, parts, schema, parameters, categorical="auto"
    )


def categorical_codes(
    parts: Mapping[Part, pd.DataFrame], schema: Schema, parameters: TrainingParameters
) -> dict[str, float]:
    """AUC and log loss on the held-out rows with LightGBM's own categorical features, rare categories pooled."""
    train = pd.concat([parts[Part.FIT], parts[Part.VALIDATION]])
    codes = {name: _codes(train[name]) for name in schema.categorical}

    def matrix(frame: pd.DataFrame) -> npt.NDArray[np.float64]:
        columns = [frame[name].to_numpy(dtype=float) for name in schema.numeric]
        columns += [frame[name].map(codes[name]).fillna(0).to_numpy(dtype=float) for name in schema.categorical]
        return np.column_stack(columns)

    positions = list(range(len(schema.numeric), len(schema.features)))
    return _scores(
        {part: matrix(frame) for part, frame in parts.items()}, parts, schema, parameters, categorical=positions
    )


def _pairs(record: Mapping[Any, Any], schema: Schema) -> list[tuple[str, float]]:
    numbers = [(name, record[name]) for name in schema.numeric if not np.isnan(record[name])]
    return numbers + [(f"{name}={record[name]}", 1.0) for name in schema.categorical]


def _codes(values: "pd.Series[int]") -> dict[int, int]:
    counts = values.value_counts()
    return {value: code for code, value in enumerate(counts.index[counts >= RARE_ROWS], start=1)}


def _scores(
    matrices: Mapping[Part, npt.NDArray[np.float64] | sparse.csr_matrix],
    parts: Mapping[Part, pd.DataFrame],
    schema: Schema,
    parameters: TrainingParameters,
    *,
    categorical: list[int] | Literal["auto"],
) -> dict[str, float]:
    labels = {part: frame[schema.label].to_numpy() for part, frame in parts.items()}

    def dataset(*chosen: Part) -> lightgbm.Dataset:
        stack = sparse.vstack if sparse.issparse(matrices[chosen[0]]) else np.vstack
        label = np.concatenate([labels[part] for part in chosen])
        rows = stack([matrices[part] for part in chosen])
        return lightgbm.Dataset(rows, label, categorical_feature=categorical, free_raw_data=False)

    probability = _fitted(dataset, parameters).predict(matrices[Part.HELD_OUT])
    label = labels[Part.HELD_OUT]
    return {"auc": float(roc_auc_score(label, probability)), "log_loss": float(log_loss(label, probability))}


def _fitted(dataset: Callable[..., lightgbm.Dataset], parameters: TrainingParameters) -> lightgbm.Booster:
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
    fit, validation = dataset(Part.FIT), dataset(Part.VALIDATION)

    def watched(trees: int, chosen: dict[str, float]) -> lightgbm.Booster:
        stop = lightgbm.early_stopping(parameters.early_stopping_rounds, verbose=False)
        return lightgbm.train(options | chosen, fit, trees, valid_sets=[validation], callbacks=[stop])

    fitted = [(watched(REFERENCE_TREES, REFERENCE), REFERENCE), (watched(parameters.num_iterations, ours), ours)]
    best, chosen = min(fitted, key=lambda pair: pair[0].best_score["valid_0"]["binary_logloss"])
    return lightgbm.train(options | chosen, dataset(Part.FIT, Part.VALIDATION), max(1, best.best_iteration))
