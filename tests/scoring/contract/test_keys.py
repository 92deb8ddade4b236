"""However tables write a whole number, `12`, `12.0` or `1e+16`, it is the same key in training and in requests."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from recommend.stored import FOLDER as SNAPSHOTS
from tests.support.described_tables import write_tables
from tests.support.recommenders import asked, items
from tests.support.services import RunningService, running_service
from tests.support.training_runs import train

USERS, ITEMS, EACH = 80, 40, 20
LARGE = 10**16
"""A whole number that Python and pandas write with an exponent where it is a float."""


def key(user: int) -> int:
    """A small key, or a large one that a float still holds exactly."""
    return user if user % 2 == 0 else LARGE + 2 * user


def tables(kind: type[int] | type[float]) -> dict[str, pd.DataFrame]:
    """Users who click on the items of their own half, and some on others, too; all keys are of this kind."""
    chance = np.random.default_rng(8)
    users, items = np.array([key(user) for user in range(USERS)], kind), np.arange(ITEMS).astype(kind)
    rates = {0: 0.9, 1: 0.3}
    rows = [
        (users[user], items[item], int(chance.random() < rates[(user + item) % 2] * (user % 10) / 10), place)
        for user in range(USERS)
        for place, item in enumerate(chance.permutation(ITEMS)[:EACH], start=1_700_000_000)
    ]
    return {
        "interactions": pd.DataFrame(rows, columns=["user_id", "item_id", "clicked", "at"]),
        "users": pd.DataFrame({"user_id": users, "half": np.arange(USERS) % 2}),
        "items": pd.DataFrame({"item_id": items, "kind": np.arange(ITEMS) % 2}),
    }


def trained(folder: Path, kind: type[int] | type[float]) -> Path:
    """The bundle of a training on tables whose keys are of this kind."""
    folder.mkdir()
    content: dict[str, Any] = write_tables(folder, **tables(kind))
    content |= {"categorical": ["user_id", "item_id", "half", "kind"], "timestamp": "at"}
    (folder / "dataset.yaml").write_text(yaml.safe_dump(content))
    run = train(folder / "run", "--dataset", "tables", "--spec", str(folder / "dataset.yaml"))
    return Path(run.result.bundle)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningService, RunningService]]:
    """Services of the same data: with keys that are written as integers, and as floats."""
    folder = tmp_path_factory.mktemp("keys")
    whole = trained(folder / "whole", int)
    floats = trained(folder / "floats", float)
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    with (
        running_service(whole, folder / "a", arguments=["--snapshots", str(whole.parent / SNAPSHOTS)]) as first,
        running_service(floats, folder / "b", arguments=["--snapshots", str(floats.parent / SNAPSHOTS)]) as second,
    ):
        yield first, second


def scores(service: RunningService, records: Sequence[Mapping[str, object]]) -> list[float]:
    answer = service.client.post("/score", json={"records": [*records]})
    assert answer.status_code == 200, answer.text
    found: list[float] = answer.json()["probabilities"]
    return found


def test_a_user_by_id_has_the_probability_that_training_gave_them(
    running: tuple[RunningService, RunningService],
) -> None:
    whole, floats = running
    in_full = [
        {"user_id": str(key(user)), "item_id": "3", "half": str(user % 2), "kind": "1"} for user in range(12, 18)
    ]
    users = [key(user) for user in range(12, 18)]
    expected = scores(whole, in_full)
    assert len({*expected}) > 2
    assert scores(whole, [{"user": user, "item": 3} for user in users]) == expected
    assert scores(floats, in_full) == expected
    assert scores(floats, [{"user": user, "item": 3} for user in users]) == expected
    assert scores(floats, [{"user": f"{user}.0", "item": "3.0"} for user in users]) == expected


def test_requests_may_write_keys_as_the_tables_do(running: tuple[RunningService, RunningService]) -> None:
    for service in running:
        known = asked(service, user=12, history=[3], exclude=[5], top=5)
        assert known["fallback"] == []
        again = asked(service, user="12.0", history=["3.0"], exclude=["5.00"], top=5)
        assert [again[name] for name in ("items", "fallback")] == [known[name] for name in ("items", "fallback")]
        assert asked(service, user="1.0000000000000026e+16", top=5) | {"event_id": ""} == (
            asked(service, user=LARGE + 26, top=5) | {"event_id": ""}
        )
        similar = service.client.post("/similar", json={"item": "3.0"})
        assert similar.status_code == 200
        assert "3" not in items(similar.json())
