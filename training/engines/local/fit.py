"""Native LightGBM on encoded rows in files, with early stopping on the validation rows and live progress."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from features.schema import Schema
from training.engines.local.inputs import EncodedRows
from training.model.calibrate import Scaling, fit_scaling, scaled
from training.model.fitted import REFIT_ROWS, STAGE, FitProgress, Fitted, slot_names
from training.model.native import lightgbm
from training.parameters import Calibration, TrainingParameters
from training.progress import Progress

BIN_SAMPLE_ROWS = 100_000
"""Rows by which LightGBM lays out a feature's 255 bins: the fewest of which it does not warn. Its default is twice as
many, each of which Python hands over by itself."""


def fit(
    files: Sequence[Path], schema: Schema, parameters: TrainingParameters, *, rows: int, progress: Progress
) -> Fitted:
    """Fit on the `rows` encoded rows in `files`."""
    with progress.stage(STAGE, "hand the rows to LightGBM"):
        encoded = EncodedRows(files, width=len(schema.encoded_features))
        every = lightgbm.Dataset(
            encoded.inputs,
            encoded.label,
            feature_name=slot_names(schema),
            params=native_parameters(parameters),
        ).construct()
        watching = FitProgress(progress, parameters.num_iterations)
        booster = _fit_watched(every, encoded, parameters, watching)
    trees, text, scaling = booster.best_iteration, booster.model_to_string(num_iteration=booster.best_iteration), None
    if parameters.calibration is Calibration.AUTO:
        with progress.stage(STAGE, "compare the probabilities of the validation rows with their clicks"):
            scaling = _scaling(booster, encoded)
    if rows <= REFIT_ROWS:
        with progress.stage(STAGE, f"fit {trees} trees again, on the validation rows too"):
            text = lightgbm.train(native_parameters(parameters), every, trees).model_to_string()
    if scaling is not None:
        text = scaled(text, scaling)
    final = lightgbm.Booster(model_str=text)
    gains = final.feature_importance("gain").tolist()
    return Fitted(
        text=text,
        predict=lambda inputs: np.asarray(final.predict(inputs), dtype=np.float64),
        best_iteration=trees,
        losses=tuple(watching.losses),
        scaling=scaling,
        importance=dict(zip(schema.encoded_features, gains, strict=True)),
    )


def _fit_watched(
    every: lightgbm.Dataset, encoded: EncodedRows, parameters: TrainingParameters, watching: FitProgress
) -> lightgbm.Booster:
    """Fit on the rows that are not watched, until the watched ones gain nothing more."""
    train, validation = (every.subset(np.flatnonzero(part).tolist()) for part in (~encoded.watched, encoded.watched))

    def after_each(environment: lightgbm.callback.CallbackEnv) -> None:
        for _, _, loss, *_ in environment.evaluation_result_list or ():
            watching(loss)

    callbacks: list[Callable[[lightgbm.callback.CallbackEnv], None]] = [after_each]
    if parameters.early_stopping_rounds:
        callbacks.append(lightgbm.early_stopping(parameters.early_stopping_rounds, verbose=False))
    booster = lightgbm.train(
        native_parameters(parameters), train, parameters.num_iterations, valid_sets=[validation], callbacks=callbacks
    )
    booster.best_iteration = booster.best_iteration or booster.num_trees()
    return booster


def _scaling(booster: lightgbm.Booster, encoded: EncodedRows) -> Scaling | None:
    """What the validation rows say of a model that was not fitted on them."""
    probability = np.asarray(booster.predict(encoded.watched_inputs()), dtype=np.float64)
    return fit_scaling(encoded.label[encoded.watched], probability)


def native_parameters(parameters: TrainingParameters) -> dict[str, Any]:
    """The parameters as LightGBM calls them, with what a run never changes."""
    return {
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
        # LightGBM would otherwise time both histogram layouts and take the faster one, which differs between runs.
        "force_row_wise": True,
        "bin_construct_sample_cnt": BIN_SAMPLE_ROWS,
        "verbosity": -1,
    }
