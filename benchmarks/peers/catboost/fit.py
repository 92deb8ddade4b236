"""CatBoost tuned on given rows: `fit.py FOLDER TRIALS SEED` prints its probabilities of `held_out.parquet` as JSON.

The folder has `fit`, `validation` and `held_out` too, each with a `label`, numbers as floats and categories as text.
The first trial has CatBoost's defaults. The best trial and number of trees are chosen on the validation rows; then a
model is fitted on all training rows, as the project does.
"""

import json
import sys
from pathlib import Path
from typing import Any

import catboost
import optuna
import pandas as pd
from catboost import CatBoostClassifier, Pool

TREES = 1_000
PATIENCE = 20
THREADS = 2


def main(folder: Path, trials: int, seed: int) -> None:
    parts = {name: pd.read_parquet(folder / f"{name}.parquet") for name in ("fit", "validation", "held_out")}
    fit, validation, held_out = map(_pool, parts.values())

    def model(trees: int, chosen: dict[str, Any]) -> CatBoostClassifier:
        return CatBoostClassifier(
            iterations=trees, random_seed=seed, thread_count=THREADS, verbose=False, allow_writing_files=False, **chosen
        )

    def loss(trial: optuna.Trial) -> float:
        chosen = {} if trial.number == 0 else _suggested(trial)
        fitted = model(TREES, chosen).fit(fit, eval_set=validation, early_stopping_rounds=PATIENCE)
        trial.set_user_attr("trees", fitted.tree_count_)
        # CatBoost's default learning rate depends on the requested number of trees, so the final fit gets this one.
        trial.set_user_attr("chosen", chosen | {"learning_rate": fitted.learning_rate_})
        return float(fitted.get_best_score()["validation"]["Logloss"])

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(loss, n_trials=trials)
    best = study.best_trial.user_attrs
    every = _pool(pd.concat([parts["fit"], parts["validation"]]))
    probabilities = model(best["trees"], best["chosen"]).fit(every).predict_proba(held_out)[:, 1].tolist()
    sys.stdout.write(json.dumps({"version": catboost.__version__, **best, "probabilities": probabilities}))


def _pool(rows: pd.DataFrame) -> Pool:
    inputs = rows.drop(columns="label")
    return Pool(inputs, rows["label"], cat_features=[name for name in inputs if inputs[name].dtype == object])


def _suggested(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "depth": trial.suggest_int("depth", 3, 10),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
        "l2_leaf_reg": trial.suggest_float("l2_leaf_reg", 1.0, 100.0, log=True),
        "random_strength": trial.suggest_float("random_strength", 0.1, 10.0, log=True),
        "one_hot_max_size": trial.suggest_int("one_hot_max_size", 2, 50, log=True),
        "rsm": trial.suggest_float("rsm", 0.2, 1.0),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
