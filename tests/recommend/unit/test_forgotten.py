"""The list of users who were forgotten: who is among them, and what the file tells of them."""

from pathlib import Path

import pytest

from recommend.forgotten import Forgotten
from recommend.stored import SnapshotError


def test_users_are_among_them_until_it_is_undone(tmp_path: Path) -> None:
    file = tmp_path / "lake" / "forgotten.json"
    assert "u1" not in Forgotten.load(file), "there is no list yet"
    Forgotten.load(file).with_user("u1").save(file)
    Forgotten.load(file).with_user("Zoë").with_user("u1").save(file)
    found = Forgotten.load(file)
    assert [user in found for user in ("u1", "Zoë", "u2", "")] == [True, True, False, False]
    found.without_user("u1").save(file)
    assert [user in Forgotten.load(file) for user in ("u1", "Zoë")] == [False, True]


def test_the_file_is_private_and_two_lists_hash_a_user_differently(tmp_path: Path) -> None:
    files = [tmp_path / "one", tmp_path / "two"]
    for file in files:
        Forgotten().with_user("u1").save(file)
        assert file.stat().st_mode & 0o777 == 0o600
        assert "u1" not in file.read_text()
    one, two = (Forgotten.load(file) for file in files)
    assert not one.hashes & two.hashes
    assert len(one.key) == 64


def test_an_altered_list_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "list").write_text('{"key": 3}')
    with pytest.raises(SnapshotError, match="was altered"):
        Forgotten.load(tmp_path / "list")
