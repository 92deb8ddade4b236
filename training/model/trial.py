"""The parameters that a trial of `training.tune` chooses."""

import optuna

from training.parameters import TrainingParameters


def suggest(
    trial: optuna.trial.BaseTrial, parameters: TrainingParameters, *, encodings: bool = False
) -> TrainingParameters:
    """The parameters of a trial; `encodings` includes those of the target encoding, which need another pass."""
    chosen: dict[str, int | float] = {
        "num_leaves": trial.suggest_int("num_leaves", 8, 256, log=True),
        "num_iterations": trial.suggest_int("num_iterations", 20, 400, log=True),
        "learning_rate": round(trial.suggest_float("learning_rate", 0.02, 0.3, log=True), 4),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 5, 500, log=True),
        "lambda_l2": round(trial.suggest_float("lambda_l2", 0.1, 100.0, log=True), 3),
        "feature_fraction": round(trial.suggest_float("feature_fraction", 0.2, 1.0), 3),
        "feature_fraction_by_node": round(trial.suggest_float("feature_fraction_by_node", 0.2, 1.0), 3),
    }
    if encodings:
        chosen["min_category_rows"] = trial.suggest_int("min_category_rows", 1, 50, log=True)
        chosen["smoothing"] = round(trial.suggest_float("smoothing", 1.0, 100.0, log=True), 3)
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
OF_THE_ENCODING = ("min_category_rows", "smoothing")
"""What it also chooses with `encodings`. Other folds would need another count."""
