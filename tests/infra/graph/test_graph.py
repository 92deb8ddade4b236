"""The graph under mocks: its steps, and the values that flow between them."""

import hashlib
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pulumi
import pytest

from features.values import KeyRule
from infra.program import deploy
from infra.settings import Settings
from recommend.forgotten import OtherKeysError
from steps.folders import StackFolder
from steps.image_content import serving_code_hash
from steps.job_libraries import SERVING_LIBRARIES, TRAINING_LIBRARIES, locked_versions
from steps.serving_settings import ScoringEngine, ScoringSettings
from steps.snapshots_here import LocalSnapshots
from tests.infra.graph.recorder import SECRET_MARK, STEP_VALUES, Recorder, run
from tools.paths import ROOT
from training.datasets import describe
from training.errors import NoTimestampError
from training.parameters import CriteoDataset, EngineName, FilmsDataset, Split, TablesDataset, TrainingParameters
from training.provenance import training_code_hash
from training.runtime import JarsError, JavaMissingError


@pytest.fixture(scope="module")
def declared() -> tuple[Recorder, dict[str, Any]]:
    """The graph with default settings."""
    return run(lambda: deploy(Settings(), "test"))


@pytest.mark.parametrize(
    ("step", "given", "source"),
    [
        ("model", "bundle", "training.bundle"),
        ("service", "digest", STEP_VALUES["digest"]),
        ("service", "version", 3),
        ("service", "bundle_hash", "model.served_hash"),
    ],
)
def test_each_edge_that_is_not_in_the_stacks_on_azure_is_an_output_of_the_step_before(
    declared: tuple[Recorder, dict[str, Any]], step: str, given: str, source: object
) -> None:
    assert declared[0].steps[step][given] == source


def test_the_dataset_is_named_by_its_manifest(declared: tuple[Recorder, dict[str, Any]]) -> None:
    assert declared[0].steps["data"]["manifest_hash"] == describe(FilmsDataset()).hash


def test_training_and_image_carry_the_hashes_of_their_code(declared: tuple[Recorder, dict[str, Any]]) -> None:
    training, image = declared[0].steps["training"], declared[0].steps["image"]
    assert (training["code_hash"], image["code_hash"]) == (training_code_hash(), serving_code_hash())
    assert training["libraries"] == locked_versions(TRAINING_LIBRARIES)
    assert image["libraries"] == locked_versions(SERVING_LIBRARIES)


def test_the_outputs_are_what_a_user_needs(declared: tuple[Recorder, dict[str, Any]]) -> None:
    assert declared[1] == {
        "endpoint": "service.endpoint",
        "key": "service-key.current",
        "model_version": 3,
        "metrics": {"auc": 0.75},
        "report": "model.report",
        "image_digest": STEP_VALUES["digest"],
        "bundle_hash": "model.served_hash",
    }


def test_the_keys_reach_the_service_as_a_secret(declared: tuple[Recorder, dict[str, Any]]) -> None:
    keys = declared[0].steps["service"]["keys"]
    assert SECRET_MARK in keys
    assert keys["value"] == ["service-key.current", "service-key.previous"]


def test_a_replaced_certificate_changes_the_service_and_its_key_stays_out_of_the_state(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    key.write_text("the private key")
    scoring = ScoringSettings(tls_certificate=certificate, tls_key=key)

    def service() -> dict[str, Any]:
        return run(lambda: deploy(Settings(scoring=scoring), "test"))[0].steps["service"]

    certificate.write_text("first")
    first = service()
    assert service() == first
    certificate.write_text("second")
    second = service()
    assert {name for name in second if first[name] != second[name]} == {"certificate_hash"}
    assert second["certificate_hash"] == hashlib.sha256(b"second").hexdigest()
    assert "the private key" not in str(second)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(training=TrainingParameters(engine=EngineName.SPARK)),
        Settings(scoring=ScoringSettings(engine=ScoringEngine.SPARK_SERVING)),
    ],
)
def test_a_machine_without_what_spark_needs_declares_nothing_for_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PERSONALIZATION_JARS", str(tmp_path))

    def declare() -> dict[str, pulumi.Output[Any]]:
        with pytest.raises((JavaMissingError, JarsError), match="run `make spark`"):
            deploy(settings, "test")
        return {}

    assert run(declare)[0].steps == {}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            Settings(
                dataset=CriteoDataset(kind="criteo", path="sample"), training=TrainingParameters(split=Split.TIME)
            ),
            "`split: time` needs a dataset with a timestamp",
        ),
        (Settings(), r'\(1\) while .* said `keys: \{"lowercase":true\}` of users\. Now it says \{\}'),
    ],
)
def test_what_training_would_refuse_declares_nothing(
    settings: Settings, problem: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path))
    LocalSnapshots(StackFolder(tmp_path / "test")).forget("u1", KeyRule(lowercase=True))

    def declare() -> dict[str, pulumi.Output[Any]]:
        with pytest.raises((NoTimestampError, OtherKeysError), match=problem):
            deploy(settings, "test")
        return {}

    assert run(declare)[0].steps == {}


@pytest.mark.parametrize(
    ("changes", "step"),
    [({"training": TrainingParameters(num_leaves=7)}, "training"), ({"model_version": 2}, "model")],
)
def test_a_setting_reaches_its_step_and_nothing_else(
    declared: tuple[Recorder, dict[str, Any]], changes: dict[str, Any], step: str
) -> None:
    before, (after, _) = declared[0].steps, run(lambda: deploy(Settings(**changes), "test"))
    assert {name for name in before if before[name] != after.steps[name]} == {step}


def test_rows_that_the_join_drops_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "examples/tables", tmp_path / "tables")
    users = tmp_path / "tables/users.csv"
    users.write_text("".join(users.read_text().splitlines(keepends=True)[:-1]))  # the last one has nine interactions
    told: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", told.append)
    for folder in (ROOT / "examples/tables", tmp_path / "tables"):
        dataset = TablesDataset(kind="tables", spec=folder / "dataset.yaml")
        run(partial(deploy, Settings(dataset=dataset), "test"))
    assert told == [
        "2,991 of 3,000 interactions have a known user and item; dropped: 9 whose user is not in the table of users."
    ]
