"""Which kind of a first stage a run's recommender gets, and that a service reproduces factors."""

import json
from pathlib import Path

import numpy as np
import pytest

from recommend.first_stage import FACTORS, SETTINGS
from recommend.learning import AlternatingLeastSquares, Ease
from recommend.recommender import FOLDER
from scoring.engines import EngineName
from scoring.model.model import ServedModel, check_recommender
from scoring.responses import ModelName
from tests.support.training_runs import train
from tests.training.runs.test_recommended import ITEMS, run, written
from training.stages import ranked


def test_more_items_than_can_have_weights_get_factors_that_a_service_reproduces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ease, "most_items", ITEMS - 1)
    monkeypatch.setattr(ranked, "WEIGHTS", (1.0,))
    made = run(tmp_path, written(tmp_path))
    judged, bundle = made.result.metrics["recommender"], Path(made.result.bundle)
    assert judged["first_stage"] == "factors of items"
    assert judged["figures"]["recommender"]["ndcg"] > judged["figures"]["popularity"]["ndcg"]
    assert "learned as factors of items." in (bundle / "report.html").read_text()
    listed = json.loads((bundle / "files.json").read_text())
    assert {f"{FOLDER}/{FACTORS}", f"{FOLDER}/{SETTINGS}"} <= set(listed)
    model = ServedModel.load(
        bundle, name=ModelName(name="films", version="1"), engine=EngineName.LIGHTGBM, max_records=10
    )
    assert model.recommender is not None
    check_recommender(model.recommender, model.bundle)
    ten = model.recommender.recommend(np.array([model.recommender.numbers["i3"]]), 10, np.empty(0, np.int64))
    assert {int(model.recommender.items[one.item][1:]) % 2 for one in ten} == {1}
    model.close()


def test_both_kinds_of_a_first_stage_are_compared_if_the_better_one_is_wanted(tmp_path: Path) -> None:
    made = train(tmp_path / "run", "--dataset", "tables", "--spec", str(written(tmp_path)), "--first-stage", "best")
    judged = made.result.metrics["recommender"]
    assert set(judged["tried"]) == {Ease.name, AlternatingLeastSquares.name}
    assert judged["first_stage"] == max(judged["tried"], key=lambda name: judged["tried"][name])
    report = (Path(made.result.bundle) / "report.html").read_text()
    for name, ndcg in judged["tried"].items():
        assert f"{name} reached an NDCG@10 of {ndcg:.4f}" in report
