"""`python -m training.tune`: search for better parameters within a budget.

The rows are prepared and counted once, and encoded once unless encodings are tuned too. A trial fits on the training
rows and is judged on the validation rows. Only at the end is the best trial compared with the current parameters on the
held-out rows.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import optuna
import yaml

from features.encoder import Encoder
from training import engines
from training.arguments import UsageError, parse
from training.datasets import describe, has_only_positives, tables_of
from training.datasets.described.spec import TablesSpec
from training.datasets.errors import DatasetError
from training.evaluation.measure import measure
from training.evaluation.score import scoring_encoded
from training.failure import explain
from training.kernels.split import Part
from training.metrics.evaluate import Evaluation, evaluate_counts
from training.model.fitted import REFIT_ROWS, Fitted
from training.model.trial import OF_THE_ENCODING, TUNABLE, suggest
from training.parameters import Calibration, TrainingParameters
from training.progress import Format, Progress
from training.protocols import EncodedRows
from training.request import TrainingRequest
from training.stages.crosses import Crosses, CrossSearch, candidates, factors_to_try
from training.stages.pipeline import Pipeline, fold_encoder
from training.stages.trained import Half
from training.streams import LOG, output_to

TUNED, FAILED, BAD_INPUT = 0, 1, 2
STAGE = "tune"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """When to stop: after `trials` or `minutes`, whichever comes first. A running trial is finished."""

    trials: int
    minutes: float | None
    encodings: bool = False
    """Whether the parameters of the encoding are tuned too."""
    crosses: bool = False
    """Whether to search for crosses instead of parameters."""


class Tuned(msgspec.Struct, frozen=True, kw_only=True):
    """The result: `parameters` has the tuned ones of the best trial; `snippet` is for the stack file.

    The log losses are on the validation rows, by which the best trial was chosen, and on the held-out rows.
    """

    trials: int
    parameters: dict[str, int | float]
    validation_before: float
    validation_after: float
    held_out_before: float
    held_out_after: float
    snippet: str

    def text(self) -> str:
        """The result as text."""
        gain = self.held_out_before - self.held_out_after
        if gain <= 0:
            return (
                f"{self.trials} trials found nothing better on the held-out rows: log loss {self.held_out_before:.5f} "
                f"now, {self.held_out_after:.5f} with the best trial. Keep the current parameters."
            )
        return (
            f"Log loss {self.held_out_after:.5f} instead of {self.held_out_before:.5f} on the held-out rows, "
            f"{gain:.5f} lower, after {self.trials} trials. For the stack file:\n\n{self.snippet}"
        )


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """A finished trial."""

    fitted: Fitted
    encoder: Encoder


class Search:
    """A search on one dataset."""

    def __init__(
        self, half: Half, base: TrainingParameters, *, progress: Progress, encodings: Path | None = None
    ) -> None:
        """Start from the parameters `base`, which are the first trial.

        The encoding is tuned too if there is a folder for `encodings`, which all machines of a cluster must see.
        """
        self._half = half
        self._base = base
        self._progress = progress
        self._encodings = encodings
        self._trials: dict[int, _Trial] = {}

    def run(self, budget: Budget) -> Tuned:
        """Search until the budget is used up."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=self._base.seed))
        started = time.monotonic()

        def report(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
            done = trial.number + 1
            spent = time.monotonic() - started
            left = min(spent / done * (budget.trials - done), 60 * (budget.minutes or float("inf")) - spent)
            self._progress(
                STAGE,
                f"trial {done} of {budget.trials}, validation log loss {trial.value:.5f}, best {study.best_value:.5f}",
                done=done,
                total=budget.trials,
                seconds_left=max(0.0, left),
            )
            for number in [number for number in self._trials if number not in {0, study.best_trial.number}]:
                del self._trials[number]

        study.optimize(
            self._validation_loss,
            n_trials=budget.trials,
            timeout=None if budget.minutes is None else 60 * budget.minutes,
            callbacks=[report],
        )
        return self._result(study)

    def _validation_loss(self, trial: optuna.Trial) -> float:
        chosen = self._base if trial.number == 0 else self._suggested(trial)
        encoder, rows = self._encoded(chosen)
        fitted = rows.fit(
            # The validation rows judge the trial, so they must not be used for calibration or a refit.
            chosen.model_copy(update={"calibration": Calibration.NONE}),
            rows=REFIT_ROWS + 1,
            progress=self._progress,
        )
        self._trials[trial.number] = _Trial(fitted=fitted, encoder=encoder)
        return evaluate_counts(rows.part(Part.VALIDATION).scan(scoring_encoded(fitted.text))).log_loss

    def _suggested(self, trial: optuna.trial.BaseTrial) -> TrainingParameters:
        return suggest(trial, self._base, encodings=self._encodings is not None)

    def _encoded(self, chosen: TrainingParameters) -> tuple[Encoder, EncodedRows]:
        """The encoder and the encoded rows for these parameters, valid until the next trial."""
        half, of_base = self._half, self._half.encoded.encoder
        if all(getattr(chosen, name) == getattr(self._base, name) for name in OF_THE_ENCODING):
            return of_base.encoder, half.encoded.train
        folder = self._encodings / "encoded" if self._encodings else Path()
        shutil.rmtree(folder, ignore_errors=True)
        train = half.prepared.part(Part.FIT, Part.VALIDATION)
        encoder = fold_encoder(half.encoded.counted, train, half.schema, chosen)
        return encoder.encoder, train.encode(encoder, chosen, folder)

    def _held_out(self, number: int) -> Evaluation:
        half, trial = self._half, self._trials[number]
        held_out = half.prepared.part(Part.HELD_OUT)
        return measure(held_out, half.schema, trial.encoder, trial.fitted, None).evaluation

    def _result(self, study: optuna.Study) -> Tuned:
        best = study.best_trial
        chosen = self._base if best.number == 0 else self._suggested(optuna.trial.FixedTrial(best.params))
        names = (*TUNABLE, *(OF_THE_ENCODING if self._encodings else ()))
        parameters = {name: getattr(chosen, name) for name in names}
        before = self._held_out(0).log_loss
        return Tuned(
            trials=len(study.trials),
            parameters=parameters,
            validation_before=study.trials[0].value or 0.0,
            validation_after=study.best_value,
            held_out_before=before,
            held_out_after=before if best.number == 0 else self._held_out(best.number).log_loss,
            snippet=yaml.safe_dump({"config": {"personalization:training": parameters}}, sort_keys=False),
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Search as the command line says; returns the exit code."""
    with TemporaryDirectory(prefix="tune-") as folder:
        try:
            given, budget = _parse(sys.argv[1:] if arguments is None else arguments)
            with output_to(Path(folder) / LOG) as terminal:
                found = _run(given, budget, Path(folder), Progress(terminal, style=given.progress))
        except Exception as error:  # noqa: BLE001 - `explain` finds the sentence of each
            explained = explain(error, log=Path(folder) / LOG)
            sys.stderr.write(f"error: {explained}\n")
            return BAD_INPUT if isinstance(explained, UsageError | DatasetError) else FAILED
    sys.stdout.write((msgspec.json.encode(found).decode() if given.result is Format.JSON else found.text()) + "\n")
    return TUNED


def _run(arguments: TrainingRequest, budget: Budget, folder: Path, progress: Progress) -> Tuned | Crosses:
    manifest = describe(arguments.dataset)
    opened = engines.opened(arguments.training, log=folder / LOG, progress=progress, data_size=manifest.size)
    with opened as engine:
        pipeline = Pipeline(engine, arguments, manifest, output=folder, progress=progress)
        half = pipeline.first_half()
        if budget.crosses:
            spec = _tables(arguments)
            search = CrossSearch(half, arguments.training, folder=folder / "crosses", progress=progress)
            return search.run(candidates(spec), factors_to_try(spec))
        encodings = folder if budget.encodings else None
        return Search(half, arguments.training, progress=progress, encodings=encodings).run(budget)


def _tables(arguments: TrainingRequest) -> TablesSpec:
    spec = tables_of(arguments.dataset, arguments.data, arguments.passed_over)
    if spec is None:
        kind = arguments.dataset.kind
        raise UsageError(f"Crosses combine columns of users and items, which a dataset of kind {kind} does not have.")
    return spec


def _parse(arguments: Sequence[str]) -> tuple[TrainingRequest, Budget]:
    parser = argparse.ArgumentParser(
        prog="python -m training.tune",
        description="Search for better parameters. Takes all options of `python -m training` too.",
    )
    parser.add_argument("--trials", type=int, default=20, help="most trials; the first one uses the current parameters")
    parser.add_argument("--minutes", type=float, help="minutes after which no further trial starts")
    parser.add_argument(
        "--encodings", action="store_true", help="tune the target encoding too, with a pass over the rows per trial"
    )
    parser.add_argument("--crosses", action="store_true", help="search for crosses and factors instead of parameters")
    own, others = parser.parse_known_args(arguments)
    if own.trials < 1 or (own.minutes is not None and own.minutes <= 0):
        raise UsageError(f"A budget of {own.trials} trials and {own.minutes} minutes allows no trial. Increase it.")
    given = parse(others).model_copy(update={"champion": None, "best": None})
    if has_only_positives(given.dataset):
        raise UsageError("Tuning searches for parameters of a click model, and `label: positives` gives none to tune.")
    if own.crosses:
        _tables(given)
    return given, Budget(trials=own.trials, minutes=own.minutes, encodings=own.encodings, crosses=own.crosses)


if __name__ == "__main__":
    sys.exit(main())
