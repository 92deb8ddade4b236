"""Users who are forgotten while the service runs, and what it does with files that it can't read."""

from pathlib import Path

import pytest

from features.schema import Schema
from recommend import histories
from recommend.forgotten import FILE, change
from recommend.histories import UserRow
from tests.support.recommenders import asked, make_recommending_bundle, recommender, write_snapshots
from tests.support.services import FOLLOWS_SOON, RunningService, changed_service, running_service, wait_until

UNKNOWN = ["unknown_user", "popular"]


def forget(file: Path, user: str) -> None:
    change(file, lambda before: before.with_user(user))


def remember(file: Path, user: str) -> None:
    change(file, lambda before: before.without_user(user))


def answered(service: RunningService, user: str) -> list[str]:
    """The fallbacks of recommendations for a user."""
    return [*asked(service, user=user, top=2)["fallback"]]


def answered_within_a_minute(service: RunningService, user: str, fallback: list[str]) -> None:
    wait_until(lambda: answered(service, user) == fallback, seconds=60)


def problems(service: RunningService, event: str = "snapshot not opened") -> list[str]:
    """Why files could not be opened, as logged."""
    return [line["reason"] for line in service.log() if line["event"] == event]


def test_a_user_is_unknown_once_forgotten_and_known_once_that_is_undone(films: Path, tmp_path: Path) -> None:
    snapshots = write_snapshots(tmp_path / "snapshots" / "version")
    with running_service(
        films, tmp_path, arguments=["--snapshots", str(snapshots), "--workers", "1"], python=FOLLOWS_SOON
    ) as service:
        assert answered(service, "u1") == []
        forget(snapshots.parent / FILE, "u1")
        answered_within_a_minute(service, "u1", UNKNOWN)
        assert answered(service, "u2") == ["popular"]
        forget(snapshots.parent / FILE, "3.0")
        answered_within_a_minute(service, "3", UNKNOWN)
        remember(snapshots.parent / FILE, "u1")
        answered_within_a_minute(service, "u1", [])
        assert answered(service, "3") == UNKNOWN


def test_no_click_probability_is_by_the_key_or_the_columns_of_one_who_was_forgotten(tmp_path: Path) -> None:
    key = "00000001"  # the most frequent one that `make_bundle` draws
    schema = Schema(numeric=("age",), categorical=("user_id",))
    bundle = make_recommending_bundle(tmp_path / "bundle", recommender(), schema=schema)
    snapshots = write_snapshots(tmp_path / "snapshots" / "version")
    histories.write(snapshots / histories.FILE, ["b"], [UserRow(key, b"", {"age": "30"})], "user_id")
    arguments = ["--snapshots", str(snapshots), "--workers", "1"]
    with running_service(bundle, tmp_path, arguments=arguments, python=FOLLOWS_SOON) as service:

        def probability(**record: object) -> float:
            answer = service.client.post("/score", json=record)
            assert answer.status_code == 200, answer.text
            return float(answer.json()["probability"])

        known, unknown = probability(user_id=key, age=30), probability()
        assert probability(user=key) == known != unknown
        assert asked(service, user=key)["items"][0]["probability"] == known
        forget(snapshots.parent / FILE, key)
        wait_until(lambda: probability(user=key) == unknown)
        assert asked(service, user=key)["items"][0]["probability"] == unknown


@pytest.mark.parametrize("gone", [False, True])
def test_a_list_that_becomes_unreadable_stays_in_force(films: Path, tmp_path: Path, *, gone: bool) -> None:
    snapshots = write_snapshots(tmp_path / "snapshots" / "version")
    forget(snapshots.parent / FILE, "u1")
    whole = (snapshots.parent / FILE).read_bytes()
    with running_service(
        films, tmp_path, arguments=["--snapshots", str(snapshots), "--workers", "1"], python=FOLLOWS_SOON
    ) as service:
        assert answered(service, "u1") == UNKNOWN
        if gone:
            (snapshots.parent / FILE).unlink()
        else:
            (snapshots.parent / FILE).write_bytes(whole[:-1])
        wait_until(lambda: len(problems(service)) == 1)
        version = histories.write(snapshots / histories.FILE, ["b"], [UserRow("u9", b"", {})], "user_id")
        wait_until(lambda: any(line.get("version") == version for line in service.log()))
        assert (answered(service, "u1"), answered(service, "u9")) == (UNKNOWN, ["popular"])
        (snapshots.parent / FILE).write_bytes(whole)
        remember(snapshots.parent / FILE, "u1")
        answered_within_a_minute(service, "u9", ["popular"])
        assert len(problems(service)) == 1, "looked at several times, and told once"


@pytest.mark.parametrize("altered", [True, False])
def test_nobody_is_known_as_long_as_the_list_cannot_be_read_at_a_start(
    films: Path, tmp_path: Path, *, altered: bool
) -> None:
    """It was altered, or the system can't say whether there is one: a link to itself can't be followed."""
    snapshots = write_snapshots(tmp_path / "snapshots" / "version")
    if altered:
        (snapshots.parent / FILE).write_bytes(b"{}")
    else:
        (snapshots.parent / FILE).symlink_to(FILE)
    with running_service(
        films, tmp_path, arguments=["--snapshots", str(snapshots), "--workers", "1"], python=FOLLOWS_SOON
    ) as service:
        assert answered(service, "u1") == ["no_histories", "popular"]
        assert asked(service, user="u1")["catalogue"] is not None
        by_id, nobody = ({"user": "u1", "genre": "x"}, {"genre": "x"})
        scores = service.client.post("/score", json={"records": [by_id, nobody]}).json()["probabilities"]
        assert scores[0] == scores[1]
        (snapshots.parent / FILE).unlink()
        forget(snapshots.parent / FILE, "u2")
        answered_within_a_minute(service, "u1", [])
        assert answered(service, "u2") == UNKNOWN
        (problem,) = problems(service)
        assert ("forgotten.json, the list of forgotten users, was altered" in problem) is altered
        assert ("Too many levels of symbolic links" in problem) is not altered


@pytest.mark.parametrize("error", ["SnapshotError('it was locked')", "RuntimeError('it was locked')"])
@pytest.mark.parametrize("opened", ["Histories", "Catalogue"])
def test_a_file_that_cannot_be_opened_once_is_tried_again_and_withholds_no_other(
    films: Path, tmp_path: Path, opened: str, error: str
) -> None:
    folder, locked = write_snapshots(tmp_path / "snapshots" / "version"), tmp_path / "locked"
    locked.touch()
    code = f"""
from pathlib import Path
from recommend.stored import SnapshotError
from scoring.worker import snapshots
snapshots.LOOK_SECONDS = 0.25
opened = snapshots.{opened}
def open_(*arguments):
    if Path({str(locked)!r}).exists():
        raise {error}
    return opened(*arguments)
snapshots.{opened} = open_
"""
    arguments = ["--snapshots", str(folder), "--workers", "1"]
    with running_service(films, tmp_path, arguments=arguments, python=changed_service(code)) as service:
        answer = asked(service, user="u1")
        found = (answer["fallback"][0] != "no_histories", answer["catalogue"] is not None)
        assert found == (opened != "Histories", opened != "Catalogue")
        locked.unlink()
        wait_until(lambda: asked(service, user="u1")["catalogue"] is not None and answered(service, "u1") == [])
        (problem,) = problems(service)
        assert problem.endswith("it was locked")
