"""Native LightGBM on encoded rows in files, with early stopping on the validation rows and live progress.

Many rows are passed to LightGBM block by block, of which it keeps one byte per input.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from features.schema import Schema
from training.kernels.columns import FEATURES, LABEL, PART, matrix
from training.kernels.split import PARTS, Part
from training.local import chunks
from training.model.calibrate import fit_scaling, scaled
from training.model.fitted import STAGE, FitProgress, Fitted, refitting, seeds_of_refits, slot_names
from training.model.native import lightgbm
from training.model.trees import mean_of
from training.parameters import Calibration, TrainingParameters
from training.progress import Progress

BIN_SAMPLE_ROWS = 100_000
"""Rows from which LightGBM derives a feature's 255 bins: the fewest that give no warning. The default is twice as many.
It takes them from blocks by a call in Python each, so where there are no more rows, it gets them all as arrays."""
Inputs = npt.NDArray[np.float64]


class EncodedFiles:
    """The rows in `files`, in order: `label` int32[n], and `watched` bool[n], true for validation rows."""

    def __init__(self, files: Sequence[Path], *, width: int) -> None:
        """Read everything but the inputs; a row has `width` of them."""
        batches = list(chunks.read_all(files))
        self.label = np.concatenate([batch.column(LABEL).to_numpy() for batch in batches]).astype(np.int32)
        self.watched = np.concatenate([batch.column(PART).to_numpy() for batch in batches]) == _VALIDATION
        reader = _Reader(width)
        places = [(file, index, rows) for file in files for index, rows in enumerate(map(len, chunks.read(file)))]
        blocks = [_BlockInputs(reader, file, index, rows) for file, index, rows in places]
        few = len(self.label) <= BIN_SAMPLE_ROWS
        self.inputs: list[_BlockInputs | Inputs] = [block[:] if few else block for block in blocks]

    def watched_inputs(self) -> npt.NDArray[np.float64]:
        """The inputs of the validation rows, float64[m, width], at most `MAX_VALIDATION_ROWS`."""
        ends = np.cumsum([len(part) for part in self.inputs])
        parts = zip(self.inputs, np.split(self.watched, ends[:-1]), strict=True)
        return np.concatenate([part[:][watched] for part, watched in parts])


class _Reader:
    """Reads blocks, and keeps the last one mapped."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._block: tuple[Path, int] | None = None
        self._inputs: npt.NDArray[np.float64] = np.empty((0, width))

    def inputs(self, file: Path, index: int) -> npt.NDArray[np.float64]:
        """The inputs of one block of a file, float64[n, width]."""
        if (file, index) != self._block:
            self._block = file, index
            self._inputs = matrix(chunks.block(file, index).column(FEATURES), self._width)
        return self._inputs


class _BlockInputs(lightgbm.Sequence):
    """One block as a `lightgbm.Sequence`: LightGBM samples rows from it to find bins, then takes it as a whole."""

    def __init__(self, reader: _Reader, file: Path, index: int, rows: int) -> None:
        self.batch_size = rows
        self._reader = reader
        self._place = file, index

    def __getitem__(self, index: int | slice | list[int]) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = self._reader.inputs(*self._place)[index]
        return found

    def __len__(self) -> int:
        return self.batch_size


_VALIDATION = PARTS.index(Part.VALIDATION)


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
            label = encoded.label[encoded.watched]  # of rows that the model has not seen
            scaling = fit_scaling(label, _predict(booster, encoded.watched_inputs()) if len(label) else np.empty(0))
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
