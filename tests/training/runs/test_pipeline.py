"""A whole run on rows like Criteo's: its bundle, its metrics and its progress, whatever the number of threads."""

import json
import re
import stat
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from features.bundle import Bundle
from tests.support.bundles import to_rows
from tests.support.criteo_rows import criteo
from tests.support.training_runs import Run, train


def assert_same_probabilities(bundle: Bundle) -> None:
    """The bundle's encoder and model reproduce the golden records."""
    schema = bundle.schema
    records = [golden.record for golden in bundle.click_model.golden]
    inputs = to_rows(schema, records).encode(bundle.click_model.encoder)
    booster = lightgbm.Booster(model_file=bundle.path / "model.txt")
    expected = [golden.probability for golden in bundle.click_model.golden]
    np.testing.assert_allclose(booster.predict(inputs), expected, rtol=0, atol=1e-9)


def test_the_service_would_give_the_runs_own_probabilities(run: Run) -> None:
    assert_same_probabilities(Bundle.load(Path(run.result.bundle)))


def test_golden_records_are_a_hundred_with_missing_values_among_them(run: Run) -> None:
    golden = Bundle.load(Path(run.result.bundle)).click_model.golden
    assert len(golden) == 100
    assert any(value is None for record in golden for value in record.record.values())
    assert any(value == "" for record in golden for value in record.record.values())


def test_a_second_run_makes_the_very_same_bundle(run: Run, tmp_path: Path) -> None:
    again = train(tmp_path)
    assert again.result.bundle_hash == run.result.bundle_hash


def test_another_seed_makes_another_model(run: Run, tmp_path: Path) -> None:
    other = train(tmp_path, "--seed", "7", "--champion", run.result.bundle)
    assert other.result.bundle_hash != run.result.bundle_hash
    assert "it has seen some of these rows" in other.result.metrics["champion"]["not_comparable"]


def test_the_best_version_kept_is_measured_beside_the_champion(run: Run, tmp_path: Path) -> None:
    options = ("--champion", run.result.bundle, "--best", run.result.bundle)
    other = train(tmp_path / "run", *options)
    best, champion = (other.result.metrics[key] for key in ("best_kept", "champion"))
    assert best["log_loss"] == champion["log_loss"] == run.result.metrics["log_loss"]
    assert any("than that of the best version kept (bundle " in reason for reason in other.result.verdict.reasons)
    assert "Best version kept (bundle " in Path(other.result.report).read_text()


def test_a_best_version_that_cannot_be_read_any_more_stops_no_run(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    other = train(tmp_path / "run", "--best", str(tmp_path / "bundle"))
    assert other.result.metrics["log_loss"] == run.result.metrics["log_loss"]
    assert "is not a model bundle" in other.result.metrics["best_kept"]["not_comparable"]


def test_a_run_leaves_its_bundle_and_nothing_else(run: Run) -> None:
    assert [path.name for path in run.output.iterdir()] == ["bundle"]
    assert stat.S_IMODE((run.output / "bundle").stat().st_mode) == 0o755


def test_the_result_is_what_the_bundle_says(run: Run) -> None:
    bundle = Bundle.load(Path(run.result.bundle))
    assert bundle.hash == run.result.bundle_hash
    assert bundle.metadata.metrics == json.loads(run.result.to_json())["metrics"]
    assert Path(run.result.report).read_text(encoding="utf-8").startswith("<!")


def test_the_slices_of_a_column_add_up_to_all_held_out_rows(run: Run) -> None:
    metrics = run.result.metrics
    columns = {part["column"] for part in metrics["slices"]}
    assert len(columns) == 10
    for column in columns:
        parts = [part for part in metrics["slices"] if part["column"] == column]
        assert sum(part["rows"] for part in parts) == metrics["rows"]
        assert sum(part["clicks"] for part in parts) == metrics["clicks"]
        loss = sum(part["rows"] * part["log_loss"] for part in parts) / metrics["rows"]
        assert loss == pytest.approx(metrics["log_loss"], abs=1e-8)


def test_a_slice_is_named_by_the_value_of_its_rows(run: Run) -> None:
    golden = Bundle.load(Path(run.result.bundle)).click_model.golden
    common = max(run.result.metrics["slices"], key=lambda part: part["rows"] if part["value"] is not None else 0)
    share = sum(record.record[common["column"]] == common["value"] for record in golden) / len(golden)
    assert share == pytest.approx(common["rows"] / run.result.metrics["rows"], abs=0.15)


def test_progress_tells_each_stage_and_the_validation_loss(run: Run) -> None:
    reports = [json.loads(line) for line in run.progress]
    stages = list(dict.fromkeys(report["stage"] for report in reports))
    assert stages == ["read", "prepare", "count", "encode", "fit", "baselines", "evaluate", "bundle"]
    (fitted,) = [report for report in reports if report["stage"] == "fit" and report.get("done") == 12]
    assert fitted["message"].startswith("fit: iteration 12 of 12, validation log loss 0.")
    assert fitted["total"] == 12


def test_lightgbm_was_given_every_parameter(run: Run) -> None:
    bundle = Bundle.load(Path(run.result.bundle))
    text = (bundle.path / "model.txt").read_text(encoding="utf-8")
    given = dict(re.findall(r"^\[(\w+): (.*)\]$", text, re.MULTILINE))
    names = {
        "num_leaves": "num_leaves",
        "num_iterations": "num_iterations",
        "learning_rate": "learning_rate",
        "feature_fraction": "feature_fraction",
        "feature_fraction_by_node": "feature_fraction_bynode",
        "min_data_in_leaf": "min_data_in_leaf",
        "lambda_l2": "lambda_l2",
    }
    asked = {name: bundle.metadata.hyperparameters[name] for name in names}
    assert {name: float(given[native]) for name, native in names.items()} == asked
    assert asked["feature_fraction_by_node"] == 0.7  # another than the default, which would be there unasked


def test_a_model_of_too_few_trees_is_corrected_by_the_validation_rows(tmp_path: Path) -> None:
    few = train(tmp_path, "--num-iterations", "4", "--validation-fraction", "0.5")
    assert few.result.metrics["scaling"]["slope"] > 1.5
    assert_same_probabilities(Bundle.load(Path(few.result.bundle)))


def test_of_few_rows_the_mean_of_three_models_serves(tmp_path: Path) -> None:
    """Without scaling, whose intercept the first tree alone would hold."""
    runs = [
        train(tmp_path / str(models), "--averaged-models", str(models), "--calibration", "none") for models in (3, 1)
    ]
    mean, alone = (lightgbm.Booster(model_file=Path(one.result.bundle) / "model.txt") for one in runs)
    assert (mean.num_trees(), alone.num_trees()) == (36, 12)
    inputs = np.random.default_rng(1).random((200, alone.num_feature()))
    first, *others = (
        3 * np.asarray(mean.predict(inputs, start_iteration=start, num_iteration=12, raw_score=True))
        for start in (0, 12, 24)
    )
    np.testing.assert_allclose(first, alone.predict(inputs, raw_score=True), atol=1e-12)
    assert not any(np.allclose(first, other) for other in others)


def test_two_numbers_of_threads_make_the_very_same_bundle(tmp_path: Path) -> None:
    hashes = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            hashes.append(train(tmp_path / str(threads), *criteo(8_000)).result.bundle_hash)
    assert hashes[0] == hashes[1]
