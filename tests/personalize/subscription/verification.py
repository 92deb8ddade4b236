"""Stages, benches and records for tests of verifications that do not use Azure."""

from collections.abc import Callable
from typing import Any

from personalize.verify.bench import Bench
from personalize.verify.record import Record, StageRecord
from personalize.verify.stage import Seen, Stage, StageFailedError
from tests.personalize.subscription.conftest import SUBSCRIPTION as ID


def stage(name: str, act: Callable[[Bench], str] = lambda _: "done.", **looks: Callable[[Bench], Seen]) -> Stage:
    return Stage(name=name, title=f"stage {name}", minutes="1", act=act, looks=looks, changes=True)


def failing(_: Bench) -> str:
    raise StageFailedError("Azure said no.")


def empty() -> Record:
    return Record.of("dev", ID)


def ran(*names: str, status: Any = "done") -> Record:
    found = StageRecord(status=status, began="2026-11-25T09:00:00+00:00", seconds=1.0, said="done.")
    return empty().model_copy(update={"stages": dict.fromkeys(names, found)})
