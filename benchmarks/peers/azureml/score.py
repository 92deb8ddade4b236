"""The entry script of Azure ML's server, as its documentation writes one."""

import json
import os

import lightgbm
import numpy as np

model: lightgbm.Booster


def init() -> None:
    """Load the model."""
    global model  # noqa: PLW0603 - the contract of the server
    model = lightgbm.Booster(model_file=os.environ["MODEL_FILE"])


def run(raw_data: str) -> list[float]:
    """Probabilities of the rows."""
    rows = np.array(json.loads(raw_data)["data"])
    probabilities: list[float] = np.asarray(model.predict(rows, num_threads=1)).tolist()
    return probabilities
