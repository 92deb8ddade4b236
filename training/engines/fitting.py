"""Native LightGBM on encoded rows in files, with early stopping on the validation rows and live progress."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from features.schema import Schema
from training.engines.inputs import BIN_SAMPLE_ROWS, EncodedFiles
from training.model.calibrate import PlattScaling, fit_scaling, scaled
from training.model.fitted import STAGE, FitProgress, Fitted, refitting, seeds_of_refits, slot_names
from training.model.native import lightgbm
from training.model.trees import mean_of
from training.parameters import Calibration, TrainingParameters
from training.progress import Progress


def fit(
    files: Sequence[Path],
    schema: Schema,
    parameters: TrainingParameters,
    *,
    rows: int,
    progress: Progress,
) -> Fitted:
    """Fit on the `rows` encoded rows in `files`."""
    parameters = parameters.of_features(len(schema.encoded_features))
    settings = native_parameters(parameters)
    with progress.stage(STAGE, "hand the rows to LightGBM"):
        encoded = EncodedFiles(files, width=len(schema.encoded_features))
        every = lightgbm.Dataset(encoded.inputs, encoded.label, feature_name=slot_names(schema), params=settings)
        watching = FitProgress(progress, parameters.num_iterations)
        booster = _fit_watched(every, encoded, settings, parameters.num_iterations, _watch(watching, parameters))
    trees, text, scaling = booster.best_iteration, booster.model_to_string(num_iteration=booster.best_iteration), None
    if parameters.calibration is Calibration.AUTO:
        with progress.stage(STAGE, "compare the probabilities of the validation rows with their clicks"):
            scaling = _scaling(booster, encoded)
    if seeds := seeds_of_refits(parameters, rows=rows):
        with progress.stage(STAGE, refitting(trees, seeds)):
            again = (lightgbm.train(settings | {"seed": seed}, every, trees) for seed in seeds)
            text = mean_of([booster.model_to_string() for booster in again])
    text = text if scaling is None else scaled(text, scaling)
    final = lightgbm.Booster(model_str=text)
    return Fitted(
        text=text,
        predict=partial(_predict, final),
        best_iteration=trees,
        losses=tuple(watching.losses),
        scaling=scaling,
        importance=dict(zip(schema.encoded_features, final.feature_importance("gain").tolist(), strict=True)),
    )


AfterEach = Callable[[lightgbm.callback.CallbackEnv], None]


def _fit_watched(
    every: lightgbm.Dataset,
    encoded: EncodedFiles,
    settings: Mapping[str, Any],
    iterations: int,
    after_each: AfterEach,
) -> lightgbm.Booster:
    """Fit on the rows that are not in the validation part, until `after_each` stops it or `iterations` are done."""
    train, validation = (every.subset(np.flatnonzero(part).tolist()) for part in (~encoded.watched, encoded.watched))
    booster = lightgbm.train(
        dict(settings),
        train,
        iterations,
        valid_sets=[validation] if encoded.watched.any() else [],
        callbacks=[after_each],
    )
    booster.best_iteration = booster.best_iteration or booster.num_trees()
    return booster


def _watch(watching: FitProgress, parameters: TrainingParameters) -> AfterEach:
    """A callback that reports the validation loss and stops early."""
    patience = parameters.early_stopping_rounds

    def after_each(environment: lightgbm.callback.CallbackEnv) -> None:
        results = environment.evaluation_result_list
        watching(results[0][2] if results else 0.0)
        trees, best = len(watching.losses), int(np.argmin(watching.losses)) + 1
        if patience and (trees - best >= patience or trees == parameters.num_iterations):
            raise lightgbm.callback.EarlyStopException(best - 1, [])

    return after_each


def _scaling(booster: lightgbm.Booster, encoded: EncodedFiles) -> PlattScaling | None:
    """Platt scaling fitted on the validation rows, which the model has not seen."""
    label = encoded.label[encoded.watched]
    probability = _predict(booster, encoded.watched_inputs()) if len(label) else np.empty(0)
    return fit_scaling(label, probability)


def _predict(booster: lightgbm.Booster, inputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(booster.predict(inputs), dtype=np.float64)


def native_parameters(parameters: TrainingParameters) -> dict[str, Any]:
    """The parameters under LightGBM's names, with the constant ones."""
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
        # Otherwise LightGBM times both histogram layouts and takes the faster one, which differs between runs.
        "force_row_wise": True,
        "bin_construct_sample_cnt": BIN_SAMPLE_ROWS,
        "verbosity": -1,
    }
