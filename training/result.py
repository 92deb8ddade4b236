"""The result of a run: metrics, verdict and the bundle's path, as one JSON object or as text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from features.bundle import Verdict
from recommend.judgement import Judgement
from recommend.recommender import METRIC
from training.evaluation.gate import Judged
from training.model.fitted import Fitted
from training.report.examples import ExampleList


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a run; `rows` by part of the split, `seconds` by stage, `counted` as in its report, with what is
    recommended to made-up people.
    """

    metrics: dict[str, Any]
    bundle: str
    bundle_hash: str
    verdict: Verdict
    report: str
    rows: dict[str, int]
    seconds: dict[str, float]
    counted: Mapping[str, int] = {}
    examples: Sequence[ExampleList] = ()

    def to_json(self) -> str:
        """One line of JSON."""
        return msgspec.json.encode(self).decode()

    def to_text(self) -> str:
        """The result as text."""
        metrics, verdict = self.metrics, self.verdict
        lines = [
            *_measured(metrics),
            f"verdict: {'accepted' if verdict.accepted else 'rejected'}",
            *(f"  {reason}" for reason in verdict.reasons),
            *([f"recommendations: {metrics[METRIC]['reason']}"] if {METRIC, "auc"} <= metrics.keys() else []),
            *(f"warning: {warning}" for warning in metrics.get("warnings", ())),
            f"bundle: {self.bundle} ({self.bundle_hash[:12]})",
            f"report: {self.report}",
        ]
        return "\n".join(lines)


def _measured(metrics: Mapping[str, Any]) -> Iterator[str]:
    """The metrics of the click model, or without one of the recommender, in a line; none of one that is not judged."""
    if "auc" in metrics:
        best = metrics["best_reachable"]
        reachable = f" (best reachable {best['auc']:.4f} and {best['log_loss']:.4f})" if best else ""
        yield (
            f"AUC {metrics['auc']:.4f}, log loss {metrics['log_loss']:.4f}{reachable}, "
            f"calibration error {metrics['calibration_error']:.4f} on {metrics['rows']:,} held-out rows"
        )
    elif "ndcg" in metrics:
        yield (
            f"NDCG@10 {metrics['ndcg']:.4f} and recall@10 {metrics['recall']:.4f}, by popularity "
            f"{metrics['popularity_ndcg']:.4f} and {metrics['popularity_recall']:.4f}"
        )


def metrics(judged: Judged, fitted: Fitted, recommender: Judgement | None) -> dict[str, Any]:
    """The evaluation and its comparisons as plain JSON values."""
    found = {} if recommender is None else {METRIC: msgspec.to_builtins(recommender)}
    compared = {
        "best_iteration": fitted.best_iteration,
        "scaling": None if fitted.scaling is None else asdict(fitted.scaling),
        "best_reachable": None if judged.best_reachable is None else msgspec.to_builtins(judged.best_reachable),
        "baselines": {
            name: {"auc": baseline.auc, "log_loss": baseline.log_loss} for name, baseline in judged.baselines.items()
        },
        "champion": None if judged.champion is None else judged.champion.scalars(),
        "best_kept": None if judged.best is None else judged.best.scalars(),
        "warnings": list(judged.warnings),
        "slices": msgspec.to_builtins(judged.slices),
        "keys": msgspec.to_builtins(judged.keys),
    }
    return judged.evaluation.scalars() | found | compared
