"""The results of a verification so far, in a file from which the next call continues.

The file is beside the stack's folder, because the last stage deletes that folder.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError

from features.errors import PersonalizationError, reason
from features.files import private_folder, write_private
from features.yaml_text import load_yaml
from tools import versions
from tools.paths import state_folder
from training.parameters import Parameters

ASSUMPTIONS = Path(__file__).with_name("assumptions.yaml")
FILE = "verification.json"


class Assumption(Parameters):
    """An assumption about Azure that the product or its simulation relies on."""

    id: str
    stage: str
    """The stage that checks it."""
    says: str
    relied_on: tuple[str, ...]
    """Files of the repository that must change if it does not hold."""
    source: Literal["documentation", "issue thread", "SDK", "unverified"]
    by_hand: str | None = None
    """How a person checks it, if no program can."""


@cache
def assumptions() -> dict[str, Assumption]:
    """All assumptions by ID, in the order of the file."""
    listed = load_yaml(ASSUMPTIONS.read_text(encoding="utf-8"))
    return {entry["id"]: Assumption.model_validate(entry | {"says": _told(entry["says"])}) for entry in listed}


def _told(sentence: str) -> str:
    """The sentence with the project's versions filled in."""
    return sentence.format(**{name: value for name, value in vars(versions).items() if name.isupper()})


class RecordUnusableError(PersonalizationError):
    """The record cannot be read, or is about another subscription."""


class SeenRecord(Parameters):
    """Azure's response to one assumption."""

    holds: bool | None
    answer: str


class StageRecord(Parameters):
    """The result of one stage. `began` is in UTC."""

    status: Literal["done", "failed"]
    began: str
    seconds: float
    said: str
    seen: dict[str, SeenRecord] = Field(default_factory=dict)


class Record(Parameters):
    """The results of a verification."""

    stack: str
    subscription: str
    stages: dict[str, StageRecord] = Field(default_factory=dict)
    waits: dict[str, float] = Field(default_factory=dict)
    """The longest wait in seconds, by what the steps waited for."""

    @classmethod
    def of(cls, stack: str, subscription: str) -> Self:
        """The record of a stack, empty before the first stage. Raises `RecordUnusableError`."""
        file = record_file(stack)
        if not file.is_file():
            return cls(stack=stack, subscription=subscription)
        try:
            found = cls.model_validate(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise RecordUnusableError(
                f"{file} cannot be read: {_said(error)}. Move it away to start again; the stack on Azure stays up."
            ) from error
        if found.subscription != subscription:
            raise RecordUnusableError(
                f"{file} is about subscription {found.subscription}, but the stack file names {subscription}. Move it "
                "away to verify the other one."
            )
        return found

    def with_stage(self, name: str, stage: StageRecord, waits: Mapping[str, float]) -> Self:
        """The record with another stage, and with the longest waits updated."""
        longest = {what: max(seconds, self.waits.get(what, 0.0)) for what, seconds in waits.items()}
        return self.model_copy(update={"stages": {**self.stages, name: stage}, "waits": {**self.waits, **longest}})

    def save(self) -> None:
        """Write it aside, then rename."""
        file = record_file(self.stack)
        private_folder(file.parent)
        write_private(file, self.model_dump_json(indent=2) + "\n")


def record_file(stack: str) -> Path:
    """The file of a stack's record."""
    folder = state_folder(stack)
    return folder.with_name(f"{folder.name}-{FILE}")


def _said(error: Exception) -> str:
    """The error in one line. Pydantic's own text starts with the name of a class."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return reason(error)
