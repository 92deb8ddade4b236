"""What users do with a stack, and the results that must hold for any dataset."""

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.checkout import Checkout

EVERY_STEP = {"DataUpload", "TrainingRun", "ModelVersion", "ServingImage", "ScoringService", "Champion"}


def changed(outcome: dict[str, Any]) -> set[str]:
    """Steps with an operation other than `same`."""
    return {step for step, operation in outcome["steps"].items() if operation != "same"}


@dataclass
class Life:
    """The life of the stack in `checkout`.

    Each `up` gets the `options`; `bundles` are the bundles of the model versions. The service's answers are compared
    with what training computed for held-out records.
    """

    checkout: Checkout
    scratch: Path
    options: tuple[str, ...] = ()
    bundles: dict[int, Path] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    """The outputs of the first `up`."""

    def first_up(self) -> None:
        """`up` from nothing: every step runs, the model is better than chance, and the service is ready."""
        outcome = self.checkout.json("up", *self.options)
        assert changed(outcome) >= EVERY_STEP
        self.outputs = outcome["outputs"]
        assert Path(self.outputs["report"]).read_text(encoding="utf-8").lstrip().startswith("<!doctype html>")
        assert 0.5 < self.outputs["metrics"]["auc"] < 1.0
        self.remember(1)
        assert httpx.get(f"{self.outputs['endpoint']}/readyz").status_code == 200

    def second_up(self) -> str:
        """`up` again: nothing changes. Returns its whole output."""
        ended = self.checkout.run("up", *self.options, "--json")
        outcome = json.loads(ended.stdout)
        assert set(outcome["changes"]) == {"same"}
        assert set(outcome["steps"].values()) == {"same"}
        return ended.stdout + ended.stderr

    def refused_up(self) -> None:
        """`up` with a time split of rows without timestamps: one sentence, before any step."""
        failed = self.checkout.run("up", *self.options, code=2)
        assert "`split: time` needs a dataset with a timestamp" in failed.stderr
        assert "Traceback" not in failed.stderr
        assert "creating" not in failed.stderr
        assert "replacing" not in failed.stderr

    def predict(self, version: int) -> None:
        """The stack's example gets the probability that training computed for it."""
        golden = self._golden(version)[0]
        example = self.checkout.state / "example.json"
        assert json.loads(example.read_text(encoding="utf-8")) == golden["record"]
        answer = self.checkout.json("predict", str(example.relative_to(self.checkout.folder)))
        assert answer["model"]["version"] == str(version)
        assert answer["probability"] == pytest.approx(golden["probability"], abs=1e-9)

    def rank(self, version: int) -> None:
        """Held-out records are ranked by the probabilities that training computed for them."""
        golden = self._golden(version)[:3]
        question = self.scratch / "rank.json"
        question.write_text(json.dumps({"user": {}, "items": [one["record"] for one in golden]}), encoding="utf-8")
        items = self.checkout.json("rank", str(question))["items"]
        expected = sorted((one["probability"] for one in golden), reverse=True)
        assert [item["probability"] for item in items] == pytest.approx(expected, abs=1e-9)
        for item in items:
            assert item["probability"] == pytest.approx(golden[item["index"]]["probability"], abs=1e-9)

    def explain(self, version: int) -> None:
        """The service returns each column's contribution to the probability that training computed."""
        golden = self._golden(version)[0]
        headers = {"Authorization": f"Bearer {self.checkout.run('key').stdout.strip()}"}
        answer = httpx.post(f"{self.outputs['endpoint']}/explain", json=golden["record"], headers=headers).json()
        assert answer["probability"] == pytest.approx(golden["probability"], abs=1e-9)
        total = answer["average"] + math.fsum(one["contribution"] for one in answer["contributions"])
        assert total == pytest.approx(answer["raw_score"], abs=1e-9)
        assert {one["feature"] for one in answer["contributions"]} == set(golden["record"])

    def new_data(self) -> None:
        """`up` with other data and readable output: every step runs again, and the next version serves."""
        shown = self.checkout.run("up", *self.options)
        done = set(re.findall(r"^([a-z ]+): (?:created|replaced|updated)", shown.stderr, re.MULTILINE))
        assert done == {"data", "training", "model version", "serving image", "scoring service", "champion"}
        assert re.search(r"^The service answers at \S+ with model version 2\.$", shown.stdout, re.MULTILINE)
        assert ".venv/bin/personalize predict .personalize/local/example.json" in shown.stdout
        assert re.search(r"^this model +0\.\d{4}", shown.stdout, re.MULTILINE)
        self.remember(2)

    def roll_back(self) -> None:
        """`serve 1`: the first version serves, nothing is trained, and both are listed."""
        outcome = self.checkout.json("serve", "1", *self.options)
        assert not changed(outcome) & {"DataUpload", "TrainingRun"}
        champions = {row["version"]: row["champion"] for row in self.checkout.json("models")["models"]}
        assert champions == {1: True, 2: False}

    def champion_was_compared(self, version: int) -> bool:
        """Whether training scored the champion on the rows that it held out for `version`."""
        metadata = json.loads((self.bundles[version] / "metadata.json").read_text(encoding="utf-8"))
        return metadata["metrics"]["champion"]["not_comparable"] is None

    def remember(self, version: int) -> None:
        """Find the bundle of the newest version."""
        folder = self.checkout.state / "registry" / "bundles"
        (self.bundles[version],) = set(folder.iterdir()) - set(self.bundles.values())

    def _golden(self, version: int) -> list[dict[str, Any]]:
        """Held-out records with the probabilities that training computed."""
        lines = (self.bundles[version] / "golden.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]
