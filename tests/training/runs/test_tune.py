"""The search keeps to its budget, is judged on unseen rows, and prints what to put into the stack file."""

import io
import json
from pathlib import Path

import optuna
import pytest
import yaml

from infra.settings import load_settings
from tests.support.training_runs import OPTIONS, ROWS
from training.arguments import UsageError, parse
from training.datasets import describe
from training.engines.local.engine import LocalEngine
from training.model.trial import OF_THE_ENCODING, TUNABLE, suggest
from training.parameters import TrainingParameters
from training.progress import Format, Progress
from training.stages.pipeline import Pipeline
from training.tune import Budget, Search, Tuned, _parse


def test_every_trial_is_a_valid_set_of_parameters() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    base = TrainingParameters(seed=5, smoothing=3.0)
    for _ in range(50):
        chosen = suggest(study.ask(), base)
        assert TrainingParameters.model_validate(chosen.model_dump()) == chosen
        assert chosen.model_dump(exclude=set(TUNABLE)) == base.model_dump(exclude=set(TUNABLE))


def test_a_trial_of_encodings_chooses_them_too() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    chosen = [suggest(study.ask(), TrainingParameters(), encodings=True) for _ in range(50)]
    assert all(TrainingParameters.model_validate(one.model_dump()) == one for one in chosen)
    assert len({one.min_category_rows for one in chosen}) > 5
    assert len({one.smoothing for one in chosen}) > 5


@pytest.mark.parametrize("options", [("--trials", "0"), ("--minutes", "0"), ("--minutes", "-1")])
def test_a_budget_for_nothing_is_refused(options: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="allows no trial"):
        _parse(options)


def tuned(before: float, after: float) -> Tuned:
    return Tuned(
        trials=7,
        parameters={"num_leaves": 63},
        validation_before=0.5,
        validation_after=0.4,
        held_out_before=before,
        held_out_after=after,
        snippet="config:\n  personalization:training:\n    num_leaves: 63\n",
    )


def test_a_gain_on_the_held_out_rows_comes_with_the_settings() -> None:
    text = tuned(0.45, 0.44).text()
    assert text.startswith("Log loss 0.44000 instead of 0.45000 on the held-out rows, 0.01000 lower, after 7 trials.")
    assert "num_leaves: 63" in text


def test_a_gain_on_the_validation_rows_alone_is_none() -> None:
    text = tuned(0.44, 0.45).text()
    assert "7 trials found nothing better" in text
    assert "num_leaves" not in text


@pytest.mark.full
@pytest.mark.parametrize("encodings", [False, True])
def test_a_search_is_never_worse_on_the_validation_rows_than_where_it_began(tmp_path: Path, *, encodings: bool) -> None:
    arguments = parse([*OPTIONS, *ROWS])
    stream = io.StringIO()
    progress = Progress(stream, style=Format.JSON)
    manifest = describe(arguments.dataset)
    engine = LocalEngine(data_size=0, processes=1)
    pipeline = Pipeline(engine, arguments, manifest, output=tmp_path, progress=progress)
    folder = tmp_path if encodings else None
    search = Search(pipeline.first_half(), arguments.training, progress=progress, encodings=folder)
    found = search.run(Budget(trials=3, minutes=None))
    assert found.trials == 3
    assert found.validation_after <= found.validation_before
    assert set(found.parameters) == {*TUNABLE, *(OF_THE_ENCODING if encodings else ())}
    reports = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [one["done"] for one in reports if one["stage"] == "tune"] == [1, 2, 3]
    config = yaml.safe_load(found.snippet)["config"]
    settings = load_settings({key: json.dumps(value) for key, value in config.items()})
    assert settings.training.num_leaves == found.parameters["num_leaves"]


def test_the_best_encoding_is_the_one_that_the_held_out_rows_are_measured_with(tmp_path: Path) -> None:
    arguments = parse([*OPTIONS, *ROWS, "--smoothing", "1000000"])  # all rates are the average: any trial is better
    progress = Progress(io.StringIO(), style=Format.JSON)
    engine = LocalEngine(data_size=0, processes=1)
    pipeline = Pipeline(engine, arguments, describe(arguments.dataset), output=tmp_path, progress=progress)
    search = Search(pipeline.first_half(), arguments.training, progress=progress, encodings=tmp_path)
    found = search.run(Budget(trials=3, minutes=None))
    assert found.parameters["smoothing"] <= 100
    assert found.held_out_after < found.held_out_before - 0.003
