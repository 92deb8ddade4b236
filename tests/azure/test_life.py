"""From nothing to a service and back on a real subscription, one stage after another; each also runs by itself."""

import json
import os
import warnings
from pathlib import Path

import pytest

from tests.azure.answers import Answers
from tests.azure.conftest import Personalize

pytestmark = [pytest.mark.azure, pytest.mark.timeout(0)]


def changes(outcome: dict[str, dict[str, int]]) -> dict[str, int]:
    return {kind: count for kind, count in outcome["changes"].items() if kind != "same" and count}


def ask(answers: Answers, stage: str) -> None:
    """What differs from the assumptions is a warning: the stage itself went through."""
    for different in answers.ask(stage):
        warnings.warn(different, stacklevel=2)


def test_doctor(personalize: Personalize, answers: Answers) -> None:
    """It exits with 1 if something is missing, also what the next stage creates."""
    found = personalize("doctor", codes=(0, 1))["findings"]
    answers.keep("doctor", found)
    assert not [
        f"{one['name']}: {one['found']}. {one['fix']}"
        for one in found
        if not one["ok"] and "personalize bootstrap" not in one["fix"]
    ]


def test_bootstrap(personalize: Personalize) -> None:
    personalize("bootstrap", "--yes")
    assert set(personalize("bootstrap", "--yes")["items"].values()) <= {"there", "refused"}


def test_preview(personalize: Personalize) -> None:
    assert set(changes(personalize("preview"))) <= {"create"}


def test_up(personalize: Personalize, answers: Answers) -> None:
    assert personalize("up", "--yes")["outputs"]["endpoint"]
    ask(answers, "up")


def test_predict(personalize: Personalize, tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    file.write_text(json.dumps(personalize("predict", "--example")), encoding="utf-8")
    assert 0 < personalize("predict", str(file))["probability"] < 1


def test_recommend(personalize: Personalize) -> None:
    found = personalize("recommend", "u17", "--top", "5")
    assert (len(found["items"]), found["fallback"]) == (5, "")


def test_second_up(personalize: Personalize, answers: Answers) -> None:
    assert changes(personalize("up", "--yes")) == {}
    assert changes(personalize("up", "--yes", "--refresh")) == {}
    ask(answers, "again")


def test_another_deployer(personalize: Personalize) -> None:
    folder = os.environ.get("OTHER_AZURE_CONFIG_DIR")
    if folder is None:
        pytest.skip("OTHER_AZURE_CONFIG_DIR names no folder with the Azure CLI's login of another deployer")
    assert changes(personalize("up", "--yes", "--refresh", AZURE_CONFIG_DIR=folder)) == {}


@pytest.mark.usefixtures("own")
def test_pause(personalize: Personalize) -> None:
    personalize("pause")
    assert personalize("status")["cluster"]["power"] == "Stopped"
    assert personalize("resume")["service_ready"]


@pytest.mark.usefixtures("own")
def test_destroy(personalize: Personalize, answers: Answers) -> None:
    """It exits with 1 if something that is left costs money."""
    answers.keep("left after destroy", personalize("destroy", "--yes", "--delete-data")["left"])
    ask(answers, "destroy")
