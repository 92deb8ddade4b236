"""The quality of the probabilities: on real rows compared with common alternatives, on synthetic rows with the
optimum."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from benchmarks.peers_catboost import TRIALS, catboost
from benchmarks.peers_quality import categorical_codes, feature_hashing, split_rows
from benchmarks.results import Target, at_least, at_most
from features.schema import Schema
from training.kernels.split import Part
from training.parameters import TrainingParameters

SEEDS = range(1, 6)
PEERS: Mapping[str, Callable[[Mapping[Part, pd.DataFrame], Schema, TrainingParameters], dict[str, float]]] = {
    "feature_hashing": feature_hashing,
    "categorical_codes": categorical_codes,
    "catboost": catboost,
}
MIN_AUC, MAX_LOG_LOSS = 0.753, 0.450
SYNTHETIC_ROWS = 1_000_000
MAX_AUC_BELOW_BEST = 0.02


def real_rows(sample: Path) -> tuple[dict[str, Any], list[Target]]:
    """Ours and the peers on the rows of `sample` over several seeds, paired by seed.

    Positive differences favour ours in both metrics. The targets: no worse than any peer, `MIN_AUC` and `MAX_LOG_LOSS`.
    Ours has the default settings; a version with as many tuning trials as CatBoost is shown beside it.
    """
    scores: dict[str, list[dict[str, float]]] = {"ours": [], "ours_tuned": [], **{name: [] for name in PEERS}}
    for seed in SEEDS:
        options = ["--dataset", "criteo", "--path", str(sample), "--seed", str(seed)]
        for name, more in (("ours", []), ("ours_tuned", tuned(*options))):
            run = train(*options, *more)["metrics"]
            scores[name].append({metric: run[metric] for metric in ("auc", "log_loss", "calibration_error")})
    for seed in SEEDS:
        parameters = TrainingParameters(seed=seed)
        parts, schema = split_rows(sample, parameters)
        for name, peer in PEERS.items():
            scores[name].append(peer(parts, schema, parameters))
    figures = {name: _summary(rows) for name, rows in scores.items()}
    ours = figures["ours"]
    targets = [
        at_least("real rows: AUC, mean of 5 seeds", MIN_AUC, ours["auc"]["mean"]),
        at_most("real rows: log loss, mean of 5 seeds", MAX_LOG_LOSS, ours["log_loss"]["mean"]),
    ]
    for name in PEERS:
        auc = [ours["auc"] - peer["auc"] for ours, peer in zip(scores["ours"], scores[name], strict=True)]
        loss = [peer["log_loss"] - ours["log_loss"] for ours, peer in zip(scores["ours"], scores[name], strict=True)]
        figures[f"ours_minus_{name}"] = {"auc": _spread(auc), "log_loss_gain": _spread(loss)}
        targets.append(at_least(f"real rows: AUC above {name}, mean of 5 seeds", 0, mean(auc)))
        targets.append(at_least(f"real rows: log loss below {name}, mean of 5 seeds", 0, mean(loss)))
    return figures, targets


def synthetic_rows() -> tuple[dict[str, Any], list[Target]]:
    """The gap to the best reachable AUC on a million rows."""
    run = train("--dataset", "synthetic", "--rows", str(SYNTHETIC_ROWS))
    metrics = run["metrics"]
    gap = metrics["best_reachable"]["auc"] - metrics["auc"]
    figures = {"rows": SYNTHETIC_ROWS, "metrics": metrics, "seconds": run["seconds"]}
    return figures, [at_most("synthetic, 1 M rows: AUC below the best reachable", MAX_AUC_BELOW_BEST, gap)]


def train(*options: str) -> dict[str, Any]:
    """Run `python -m training` and return its result."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "training", *options, "--json", "--output", f"{folder}/run"]
        finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(finished.stdout)
    return result


def tuned(*options: str) -> list[str]:
    """The best options on the validation rows, encodings among them, from a search of `TRIALS`."""
    command = [sys.executable, "-m", "training.tune", *options, "--trials", str(TRIALS), "--encodings", "--json"]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(finished.stdout)["parameters"]
    return [text for name, value in found.items() for text in (f"--{name.replace('_', '-')}", str(value))]


def _summary(rows: list[dict[str, float]]) -> dict[str, Any]:
    return {metric: _spread([row[metric] for row in rows]) for metric in rows[0]}


def _spread(values: list[float]) -> dict[str, float]:
    return {"mean": mean(values), "standard_deviation": stdev(values)}
