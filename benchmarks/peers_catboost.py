"""CatBoost on the same rows. It encodes categories by ordered target statistics, and is tuned on the validation
rows."""

import json
import subprocess
from collections.abc import Mapping
from tempfile import TemporaryDirectory

import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score

from benchmarks.serving.peers import PEERS, install
from features.schema import Schema
from training.kernels.split import Part
from training.parameters import TrainingParameters

TRIALS = 10
"""Sets of hyperparameters for each of CatBoost and ours to try; the first is the defaults."""


def catboost(parts: Mapping[Part, pd.DataFrame], schema: Schema, parameters: TrainingParameters) -> dict[str, float]:
    """AUC and log loss on the held-out rows, computed in CatBoost's own environment."""
    with TemporaryDirectory() as folder:
        for part, frame in parts.items():
            texts = {name: frame[name].astype(str) for name in schema.categorical}
            frame.assign(**texts).rename(columns={schema.label: "label"}).to_parquet(f"{folder}/{part}.parquet")
        python = install("catboost") / "bin" / "python"
        command = [str(python), str(PEERS / "catboost" / "fit.py"), folder, str(TRIALS), str(parameters.seed)]
        found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    label = parts[Part.HELD_OUT][schema.label]
    probability = found["probabilities"]
    return {"auc": float(roc_auc_score(label, probability)), "log_loss": float(log_loss(label, probability))}
