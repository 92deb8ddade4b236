"""What must hold of a stack's models, whoever brought it up."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.checkout import Checkout


def changed(outcome: dict[str, Any]) -> set[str]:
    """Steps with an operation other than `same`."""
    return {step for step, operation in outcome["steps"].items() if operation != "same"}


@dataclass
class Life:
    """The stack in `checkout`, and the bundles of its model versions."""

    checkout: Checkout
    bundles: dict[int, Path] = field(default_factory=dict)

    def remember(self, version: int) -> None:
        """Find the bundle of the newest version."""
        folder = self.checkout.state / "registry" / "bundles"
        (self.bundles[version],) = set(folder.iterdir()) - set(self.bundles.values())

    def golden(self, version: int) -> list[dict[str, Any]]:
        """Held-out records with the probabilities that training computed."""
        lines = (self.bundles[version] / "golden.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def predict(self, version: int) -> None:
        """The stack's example gets the probability that training computed for it."""
        golden = self.golden(version)[0]
        example = self.checkout.state / "example.json"
        assert json.loads(example.read_text(encoding="utf-8")) == golden["record"]
        answer = self.checkout.json("predict", str(example.relative_to(self.checkout.folder)))
        assert answer["model"]["version"] == str(version)
        assert answer["probability"] == pytest.approx(golden["probability"], abs=1e-9)

    def second_up(self) -> str:
        """`up` again: nothing changes. Returns its whole output."""
        ended = self.checkout.run("up", "--json")
        outcome = json.loads(ended.stdout)
        assert set(outcome["changes"]) == {"same"}
        assert set(outcome["steps"].values()) == {"same"}
        return ended.stdout + ended.stderr
