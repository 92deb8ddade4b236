"""What the native fit on Spark makes of its tasks' answer; a Spark that only answers stands for a cluster."""

import pickle
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import lightgbm
import numpy as np
import pytest
from pyspark.errors import PySparkException

from features.schema import Schema
from training.engines.spark.native import fit as native
from training.engines.spark.native.fit import TaskLostError
from training.model.fitted import Fitted
from training.parameters import TrainingParameters
from training.progress import Progress

OF_A_CLUSTER = {
    "[num_threads: 0]": "[num_threads: 7]",
    "[machines: ]": "[machines: 10.0.0.1:4321,10.0.0.2:4321]",
    "[local_listen_port: 12400]": "[local_listen_port: 4321]",
    "[time_out: 120]": "[time_out: 10]",
}
"""Lines of a model file of LightGBM, and what they are after a fit by two machines."""


def fit(folder: Path) -> Fitted:
    spark: Any = MagicMock()
    spark.sparkContext.defaultParallelism = 2
    return native.fit(
        spark,
        (),
        Schema(numeric=("n",), categorical=()),
        TrainingParameters(),
        rows=10,
        log=folder / "log",
        progress=Progress(MagicMock()),
    )


def test_a_model_names_no_machine_of_its_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = np.arange(100.0).reshape(50, 2)
    plain = lightgbm.train({"verbose": -1}, lightgbm.Dataset(inputs, inputs[:, 0] > 50), 2).model_to_string()
    text = plain
    for line, changed in OF_A_CLUSTER.items():
        assert plain.count(line) == 1
        text = text.replace(line, changed)
    answer = Fitted(text=text, predict=np.asarray, best_iteration=2, losses=(), scaling=None, importance={})
    monkeypatch.setattr(native, "interruptible", lambda *_: [MagicMock(fitted=pickle.dumps(answer))])
    assert fit(tmp_path).text == plain


@pytest.mark.parametrize(
    ("said", "error"),
    [
        # by Spark's DAGScheduler
        ("Stage failed because barrier task ResultTask(0, 1) finished unsuccessfully.", TaskLostError),
        ("Column `n` does not exist.", PySparkException),
    ],
)
def test_a_lost_task_is_told_from_other_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, error: type[Exception]
) -> None:
    monkeypatch.setattr(native, "interruptible", MagicMock(side_effect=PySparkException(said)))
    with pytest.raises(error, match=r"ResultTask|Column"):
        fit(tmp_path)
