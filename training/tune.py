"""`python -m training.tune`: look for better parameters within a budget, on the rows and by the fit of a training run.

The rows are prepared and encoded once. A trial fits on the training rows and is judged by the validation rows, so that
the held-out rows stay unseen; on them the best trial is compared with the parameters as they are, at the end.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import optuna
import yaml

from training import engines
from training.arguments import UsageError, parse
from training.datasets import describe
from training.datasets.errors import DatasetError
from training.evaluation.measure import measure
from training.evaluation.score import scoring_encoded
from training.failure import explain
from training.kernels.split import Part
from training.metrics.evaluate import Evaluation, evaluate_counts
from training.model.fitted import REFIT_ROWS, Fitted
from training.parameters import Calibration, TrainingParameters
from training.progress import Format, Progress
from training.request import LocalRequest
from training.stages.pipeline import Pipeline
from training.stages.trained import Half
from training.streams import LOG, output_to

TUNED, FAILED, BAD_INPUT = 0, 1, 2
STAGE = "tune"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """When to stop: after so many trials or minutes, whichever comes first. A trial that has begun is finished."""

    trials: int
    minutes: float | None


class Tuned(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome: `parameters` are those that a trial may choose, of the best one; `snippet` is for the stack file.

    The log losses are those on the validation rows, by which the best trial was chosen, and on the held-out rows.
    """

    trials: int
    parameters: dict[str, int | float]
    validation_before: float
    validation_after: float
    held_out_before: float
    held_out_after: float
    snippet: str


def suggest(trial: optuna.trial.BaseTrial, parameters: TrainingParameters) -> TrainingParameters:
    """The parameters of a trial. Those of the target encoding stay, as another encoding would need another pass."""
    chosen = {
        "num_leaves": trial.suggest_int("num_leaves", 8, 256, log=True),
        "num_iterations": trial.suggest_int("num_iterations", 20, 400, log=True),
        "learning_rate": round(trial.suggest_float("learning_rate", 0.02, 0.3, log=True), 4),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 5, 500, log=True),
        "lambda_l2": round(trial.suggest_float("lambda_l2", 0.1, 100.0, log=True), 3),
        "feature_fraction": round(trial.suggest_float("feature_fraction", 0.2, 1.0), 3),
        "feature_fraction_by_node": round(trial.suggest_float("feature_fraction_by_node", 0.2, 1.0), 3),
    }
    return parameters.model_copy(update=chosen)


TUNABLE = (
    "num_leaves",
    "num_iterations",
    "learning_rate",
    "min_data_in_leaf",
    "lambda_l2",
    "feature_fraction",
    "feature_fraction_by_node",
)
"""What `suggest` chooses."""


class Search:
    """A search on the encoded rows of one dataset."""

    def __init__(self, half: Half, base: TrainingParameters, *, progress: Progress) -> None:
        """Look around the parameters `base`, which are the first trial."""
        self._half = half
        self._base = base
        self._progress = progress
        self._validation = half.encoded.train.part(Part.VALIDATION)
        self._fits: dict[int, Fitted] = {}

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
            for number in [number for number in self._fits if number not in {0, study.best_trial.number}]:
                del self._fits[number]

        study.optimize(
            self._validation_loss,
            n_trials=budget.trials,
            timeout=None if budget.minutes is None else 60 * budget.minutes,
            callbacks=[report],
        )
        return self._result(study)

    def _validation_loss(self, trial: optuna.Trial) -> float:
        half = self._half
        chosen = self._base if trial.number == 0 else suggest(trial, self._base)
        fitted = half.encoded.train.fit(
            # The validation rows judge here: neither a scaling by them, nor a second fit on them.
            chosen.model_copy(update={"calibration": Calibration.NONE}),
            rows=REFIT_ROWS + 1,
            progress=self._progress,
        )
        self._fits[trial.number] = fitted
        return evaluate_counts(self._validation.scan(scoring_encoded(fitted.text))).log_loss

    def _held_out(self, number: int) -> Evaluation:
        half = self._half
        held_out = half.prepared.part(Part.HELD_OUT)
        return measure(held_out, half.schema, half.encoded.encoder.encoder, self._fits[number], None).evaluation

    def _result(self, study: optuna.Study) -> Tuned:
        best = study.best_trial
        chosen = self._base if best.number == 0 else suggest(optuna.trial.FixedTrial(best.params), self._base)
        parameters = {name: getattr(chosen, name) for name in TUNABLE}
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
    """Search as the command line says and return the exit code."""
    with TemporaryDirectory(prefix="tune-") as folder:
        try:
            given, budget = _parse(sys.argv[1:] if arguments is None else arguments)
            with output_to(Path(folder) / LOG) as terminal:
                tuned = _run(given, budget, Path(folder), Progress(terminal, style=given.progress))
        except Exception as error:  # noqa: BLE001 - `explain` finds the sentence of each
            explained = explain(error, log=Path(folder) / LOG)
            sys.stderr.write(f"error: {explained}\n")
            return BAD_INPUT if isinstance(explained, UsageError | DatasetError) else FAILED
    sys.stdout.write((msgspec.json.encode(tuned).decode() if given.result is Format.JSON else _text(tuned)) + "\n")
    return TUNED


def _run(arguments: LocalRequest, budget: Budget, folder: Path, progress: Progress) -> Tuned:
    manifest = describe(arguments.dataset)
    opened = engines.opened(arguments.training, log=folder / LOG, progress=progress, data_size=manifest.size)
    with opened as engine:
        pipeline = Pipeline(engine, arguments, manifest, output=folder, progress=progress)
        return Search(pipeline.first_half(), arguments.training, progress=progress).run(budget)


def _parse(arguments: Sequence[str]) -> tuple[LocalRequest, Budget]:
    parser = argparse.ArgumentParser(
        prog="python -m training.tune",
        description="Look for better parameters. All options of `python -m training` are taken too.",
    )
    parser.add_argument("--trials", type=int, default=20, help="trials at most, the parameters as they are included")
    parser.add_argument("--minutes", type=float, help="minutes after which no further trial begins")
    own, others = parser.parse_known_args(arguments)
    if own.trials < 1 or (own.minutes is not None and own.minutes <= 0):
        raise UsageError(f"A budget of {own.trials} trials and {own.minutes} minutes allows none. Give more.")
    given = parse(others).model_copy(update={"champion": None})
    return given, Budget(trials=own.trials, minutes=own.minutes)


def _text(tuned: Tuned) -> str:
    gain = tuned.held_out_before - tuned.held_out_after
    if gain <= 0:
        return (
            f"{tuned.trials} trials found nothing better on the held-out rows: log loss {tuned.held_out_before:.5f} "
            f"as it is, {tuned.held_out_after:.5f} with the best trial. Leave the parameters as they are."
        )
    return (
        f"Log loss {tuned.held_out_after:.5f} instead of {tuned.held_out_before:.5f} on the held-out rows, "
        f"{gain:.5f} lower, after {tuned.trials} trials. For the stack file:\n\n{tuned.snippet}"
    )


if __name__ == "__main__":
    sys.exit(main())
