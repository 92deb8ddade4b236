"""Native LightGBM on encoded rows in files, with early stopping on the validation rows and live progress.

Runs on one machine, or on several with a part of the rows each. Those sum their histograms over LightGBM's own network,
and each scores its own validation rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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

ALL_CORES = 0
"""The number of threads that makes LightGBM use all available cores."""


@dataclass(frozen=True, kw_only=True)
class Together:
    """The machines that fit one model together; each runs this code on its own rows.

    `network` has LightGBM's parameters that connect them, `shared` those for a fit over an existing connection.
    `gather` exchanges bytes: it returns what each machine passed, in the same order on all of them.
    """

    network: Mapping[str, Any]
    shared: Mapping[str, Any]
    gather: Callable[[bytes], list[bytes]]

    def mean(self, loss: float, *, rows: int) -> float:
        """The loss over all machines' validation rows, from this machine's loss over `rows` rows.

        LightGBM does not sum the losses, so without this each machine would stop at a different tree.
        """
        losses, counts = self.side_by_side(np.array([[loss], [rows]]))
        return float(np.average(losses, weights=counts))

    def side_by_side(self, own: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """All machines' columns side by side, float64[k, n]."""
        parts = [np.frombuffer(part).reshape(len(own), -1) for part in self.gather(own.tobytes())]
        return np.hstack(parts)


def fit(
    files: Sequence[Path],
    schema: Schema,
    parameters: TrainingParameters,
    *,
    rows: int,
    progress: Progress,
    threads: int = ALL_CORES,
    together: Together | None = None,
) -> Fitted:
    """Fit on the encoded rows in `files`; `rows` counts those of all machines `together`."""
    parameters = parameters.of_features(len(schema.encoded_features))
    settings = native_parameters(parameters) | {"num_threads": threads}
    network, shared = (together.network, together.shared) if together else ({}, {})
    with progress.stage(STAGE, "hand the rows to LightGBM"):
        encoded = EncodedFiles(files, width=len(schema.encoded_features))
        every = lightgbm.Dataset(encoded.inputs, encoded.label, feature_name=slot_names(schema), params=settings)
        watching = FitProgress(progress, parameters.num_iterations)
        after_each = _watch(watching, parameters, rows=int(encoded.watched.sum()), together=together)
        booster = _fit_watched(every, encoded, {**settings, **network}, parameters.num_iterations, after_each)
    trees, text, scaling = booster.best_iteration, booster.model_to_string(num_iteration=booster.best_iteration), None
    if parameters.calibration is Calibration.AUTO:
        with progress.stage(STAGE, "compare the probabilities of the validation rows with their clicks"):
            scaling = _scaling(booster, encoded, together)
    if seeds := seeds_of_refits(parameters, rows=rows):
        with progress.stage(STAGE, refitting(trees, seeds)):
            again = (lightgbm.train({**settings, **shared, "seed": seed}, every, trees) for seed in seeds)
            text = mean_of([booster.model_to_string() for booster in again])
    if together:
        booster.free_network()  # now, not at garbage collection, when the next model may already be connected
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


def _watch(watching: FitProgress, parameters: TrainingParameters, *, rows: int, together: Together | None) -> AfterEach:
    """A callback that reports the validation loss (`rows` rows are on this machine) and stops early."""
    patience = parameters.early_stopping_rounds

    def after_each(environment: lightgbm.callback.CallbackEnv) -> None:
        results = environment.evaluation_result_list
        loss = results[0][2] if results else 0.0
        watching(together.mean(loss, rows=rows) if together else loss)
        trees, best = len(watching.losses), int(np.argmin(watching.losses)) + 1
        if patience and (trees - best >= patience or trees == parameters.num_iterations):
            raise lightgbm.callback.EarlyStopException(best - 1, [])

    return after_each


def _scaling(booster: lightgbm.Booster, encoded: EncodedFiles, together: Together | None) -> PlattScaling | None:
    """Platt scaling fitted on the validation rows, which the model has not seen."""
    label = encoded.label[encoded.watched].astype(np.float64)
    probability = _predict(booster, encoded.watched_inputs()) if len(label) else np.empty(0)
    found = np.stack([label, probability])
    if together:
        found = together.side_by_side(found)
    return fit_scaling(found[0].astype(np.int32), found[1])


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
