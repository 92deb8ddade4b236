"""What the simulated Azure assumes about the real one, as data: `assumptions.yaml`."""

from functools import cache
from pathlib import Path
from typing import Literal

import yaml

from tools import versions
from training.parameters import Parameters

FILE = Path(__file__).with_name("assumptions.yaml")


class Assumption(Parameters):
    """One sentence about Azure that the product or its simulation relies on."""

    id: str
    stage: str
    """The stage that comes across it."""
    says: str
    relied_on: tuple[str, ...]
    """Files of the repository that would have to change if it does not hold."""
    source: Literal["documentation", "issue thread", "SDK", "unverified"]
    by_hand: str | None = None
    """What a person does to see it, where no program can."""


@cache
def assumptions() -> dict[str, Assumption]:
    """All of them by id, in the file's order."""
    listed = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return {entry["id"]: Assumption.model_validate(entry | {"says": _told(entry["says"])}) for entry in listed}


def _told(sentence: str) -> str:
    """The sentence with the project's own versions in it."""
    return sentence.format(**{name: value for name, value in vars(versions).items() if name.isupper()})
