"""The second half of a run: the model is compared with baselines and earlier versions, and the gate decides."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from features.bundle import Bundle, BundleError, Verdict
from features.encoder import RawRows
from features.reference import Reference
from training.datasets import key_columns
from training.evaluation import leaks, reference
from training.evaluation.baselines import BASE_RATE, LOGISTIC_REGRESSION, base_rate, fit_logistic, sample
from training.evaluation.earlier import Candidate, EarlierVersion
from training.evaluation.gate import judge
from training.evaluation.measure import measure
from training.evaluation.reachable import BestReachable, best_reachable
from training.evaluation.score import Scored
from training.kernels.split import Part
from training.metrics.evaluate import Evaluation
from training.metrics.slices import Slice
from training.protocols import Rows
from training.request import TrainingRequest
from training.stages.trained import Trained

Stage = Callable[[str, str], AbstractContextManager[None]]
"""Opens a stage with a name and a description, for the duration of a block."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The model and everything that it is compared with, on the same held-out rows."""

    evaluation: Evaluation
    baselines: Mapping[str, Evaluation]
    champion: EarlierVersion | None
    best: EarlierVersion | None
    best_reachable: BestReachable | None
    slices: tuple[Slice, ...]
    keys: tuple[Slice, ...]
    """The rows of known and of new users and items."""
    warnings: tuple[str, ...]
    """Sentences about the data, for its owner."""
    reference: Reference
    verdict: Verdict


def judge_model(trained: Trained, arguments: TrainingRequest, stage: Stage) -> Judged:
    """Evaluate a model on its held-out rows and judge it."""
    schema, prepared = trained.schema, trained.prepared
    encoder = trained.encoded.encoder.encoder
    held_out, seed = prepared.part(Part.HELD_OUT), arguments.training.seed
    count = prepared.counts[Part.HELD_OUT]
    with stage("baselines", "fit the baselines"):
        rows = sample(trained.encoded.train, rows=prepared.training_rows, seed=seed)
        logistic = fit_logistic(*rows)
        warnings = leaks.warnings(*rows, schema)
    with stage("evaluate", f"score {count:,} held-out rows"):
        keys = key_columns(arguments.dataset, arguments.data)
        measured = measure(held_out, schema, encoder, trained.fitted, logistic, keys=keys)
        reachable = best_reachable(held_out, arguments.dataset, schema)
        sampled = reference.sample(held_out, schema, rows=count, seed=seed)
    baselines = {BASE_RATE: base_rate(measured.evaluation, rate=prepared.training_clicks / prepared.training_rows)}
    if measured.logistic is not None:
        baselines[LOGISTIC_REGRESSION] = measured.logistic
    scored = Scored(schema=schema, encoder=encoder, text=trained.fitted.text)
    candidate = Candidate(scored=scored, parameters=arguments.training, held_out=prepared.held_out)
    champion = _champion(candidate, held_out, sampled, arguments, stage)
    best = _best(candidate, held_out, arguments, stage)
    return Judged(
        evaluation=measured.evaluation,
        baselines=baselines,
        champion=champion,
        best=best,
        best_reachable=reachable,
        slices=measured.slices,
        keys=measured.keys,
        warnings=warnings,
        reference=reference.make_reference(sampled, encoder, trained.fitted.text, trained.fitted.importance),
        verdict=judge(measured.evaluation, baselines, champion, arguments.gate, best=best),
    )


def _champion(
    candidate: Candidate, held_out: Rows, sampled: RawRows, arguments: TrainingRequest, stage: Stage
) -> EarlierVersion | None:
    """The champion on the same held-out rows, and their drift from its baseline sample."""
    if arguments.champion is None:
        return None
    with stage("champion", "score the champion on the same rows"):
        bundle = Bundle.load(arguments.champion, mapped=False)
        drift = reference.compare(bundle, sampled)
        return candidate.beside(held_out, bundle, version=arguments.champion_version, drift=drift)


def _best(candidate: Candidate, held_out: Rows, arguments: TrainingRequest, stage: Stage) -> EarlierVersion | None:
    """The best version kept on the same held-out rows. A bundle that can no longer be read does not stop the run."""
    if arguments.best is None:
        return None
    version = arguments.best_version
    with stage("champion", "score the best version kept on the same rows"):
        try:
            bundle = Bundle.load(arguments.best, mapped=False)
        except BundleError as error:
            reason = str(error).rstrip(".")
            return EarlierVersion(version=version, bundle_hash="", compared=None, not_comparable=reason)
        return candidate.beside(held_out, bundle, version=version)
