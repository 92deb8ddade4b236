"""The quality of the probabilities: on real rows compared with feature hashing, on generated rows with the optimum."""

import json
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.feature_hashing import feature_hashing
from benchmarks.results import Target, at_least, at_most
from features.schema import CRITEO
from tests.support.criteo_rows import criteo, drawn
from training.parameters import TrainingParameters

SEEDS = range(1, 6)
MIN_AUC, MAX_LOG_LOSS = 0.753, 0.450
GENERATED_ROWS = 1_000_000
MAX_AUC_BELOW_BEST = 0.02


def real_rows(sample: Path) -> tuple[dict[str, Any], list[Target]]:
    """Ours and the reference's feature hashing on the rows of `sample` over several seeds, paired by seed.

    Positive differences favour ours in both metrics. The targets: no worse than the reference, `MIN_AUC` and
    `MAX_LOG_LOSS`.
    """
    ours, hashed = [], []
    for seed in SEEDS:
        run = train("--dataset", "criteo", "--path", str(sample), "--seed", str(seed))["metrics"]
        ours.append({metric: run[metric] for metric in ("auc", "log_loss", "calibration_error")})
        hashed.append(feature_hashing(sample, TrainingParameters(seed=seed)))
    auc = [own["auc"] - other["auc"] for own, other in zip(ours, hashed, strict=True)]
    loss = [other["log_loss"] - own["log_loss"] for own, other in zip(ours, hashed, strict=True)]
    figures = {
        "ours": _summary(ours),
        "feature_hashing": _summary(hashed),
        "ours_minus_feature_hashing": {"auc": _spread(auc), "log_loss_gain": _spread(loss)},
    }
    return figures, [
        at_least("real rows: AUC, mean of 5 seeds", MIN_AUC, figures["ours"]["auc"]["mean"]),
        at_most("real rows: log loss, mean of 5 seeds", MAX_LOG_LOSS, figures["ours"]["log_loss"]["mean"]),
        at_least("real rows: AUC above feature_hashing, mean of 5 seeds", 0, mean(auc)),
        at_least("real rows: log loss below feature_hashing, mean of 5 seeds", 0, mean(loss)),
    ]


def generated_rows() -> tuple[dict[str, Any], list[Target]]:
    """The gap to the best reachable AUC on a million rows: that of the true probabilities of all of them."""
    run = train(*criteo(GENERATED_ROWS))
    blocks = [(batch.column(CRITEO.label).to_numpy(), truth) for batch, truth in drawn(GENERATED_ROWS)]
    labels, truths = (np.concatenate(part) for part in zip(*blocks, strict=True))
    best = float(roc_auc_score(labels, truths))
    gap = best - run["metrics"]["auc"]
    figures = {"rows": GENERATED_ROWS, "metrics": run["metrics"], "best_auc": best, "seconds": run["seconds"]}
    return figures, [at_most("generated, 1 M rows: AUC below the best reachable", MAX_AUC_BELOW_BEST, gap)]


def train(*options: str) -> dict[str, Any]:
    """Run `python -m training` and return its result."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "training", *options, "--json", "--output", f"{folder}/run"]
        finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(finished.stdout)
    return result


def _summary(rows: list[dict[str, float]]) -> dict[str, Any]:
    return {metric: _spread([row[metric] for row in rows]) for metric in rows[0]}


def _spread(values: list[float]) -> dict[str, float]:
    return {"mean": mean(values), "standard_deviation": stdev(values)}
