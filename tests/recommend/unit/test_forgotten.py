"""The list of users who were forgotten: who is among them, and what the file tells of them."""

import hmac
import multiprocessing
import os
from pathlib import Path

import pytest

from features.values import AS_WRITTEN, KeyRule
from recommend.forgotten import NOBODY, Forgotten, OtherKeysError, change
from recommend.stored import SnapshotError


def forget(file: Path, *users: str) -> None:
    for user in users:
        change(file, lambda before, user=user: before.with_user(user))  # type: ignore[misc] # a default binds it


def test_users_are_among_them_until_it_is_undone(tmp_path: Path) -> None:
    file = tmp_path / "snapshots" / "forgotten.json"
    assert "u1" not in Forgotten.load(file), "there is no list yet"
    forget(file, "u1", "Zoë", "u1")
    found = Forgotten.load(file)
    assert [user in found for user in ("u1", "Zoë", "u2", "")] == [True, True, False, False]
    change(file, lambda before: before.without_user("u1"))
    assert [user in Forgotten.load(file) for user in ("u1", "Zoë")] == [False, True]
    forget(file, "u1")
    assert "u1" in Forgotten.load(file)


def test_a_user_is_among_them_however_their_key_is_written_by_the_rule_of_then(tmp_path: Path) -> None:
    """The rule is not changed while somebody is forgotten, since nobody can make a hash by another one."""
    rule, file = KeyRule(lowercase=True, strip=True), tmp_path / "forgotten.json"
    change(file, lambda before: before.with_user(" Anna@Example.com", rule))
    found = Forgotten.load(file)
    assert [user in found for user in ("anna@example.com", "ANNA@example.com ", "ben")] == [True, True, False]
    found.require(rule)
    for other in (AS_WRITTEN, KeyRule(strip=True)):
        with pytest.raises(OtherKeysError, match=r'`keys: \{"lowercase":true,"strip":true\}` of users\. Now it'):
            found.with_user("ben", other)
    undone = found.without_user("anna@example.com")
    assert "BEN" not in undone.with_user("ben"), "nobody else is forgotten, so the rule may be another one"


def test_a_name_is_the_same_whether_its_accents_are_letters_of_their_own_or_not() -> None:
    """Also for those who were forgotten before keys with rules had one form; keys without a rule are as written."""
    rule, composed, apart = KeyRule(lowercase=True), "Zo\u00eb", "ZOE\u0308"
    assert rule.of(composed) == rule.of(apart) == "zo\u00eb"
    then = Forgotten(key="0" * 64, rule=rule, hashes=(hmac.digest(bytes(32), b"zoe\xcc\x88", "sha256").hex(),))
    for listed in (NOBODY.with_user(composed, rule), NOBODY.with_user(apart, rule), then):
        assert [user in listed for user in (composed, apart, "Zoe")] == [True, True, False]
        assert not listed.without_user(composed).users
        assert listed.with_user(composed, rule) == listed
    assert apart not in NOBODY.with_user(composed)


def test_the_file_is_private_and_two_lists_hash_a_user_differently(tmp_path: Path) -> None:
    files = [tmp_path / name / "forgotten.json" for name in ("one", "two")]
    for file in files:
        forget(file, "u1")
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
        assert "u1" not in file.read_text()
    one, two = (Forgotten.load(file) for file in files)
    assert not one.users & two.users
    assert len(one.key) == 64


@pytest.mark.parametrize("content", [b'{"key": 3}', b"{}", b'{"key": "", "hashes": []}', b"", b'{"key": "\xff"}'])
def test_an_altered_list_is_not_taken_for_an_empty_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "list").write_bytes(content)
    with pytest.raises(SnapshotError, match="was altered"):
        Forgotten.load(tmp_path / "list")
    with pytest.raises(SnapshotError, match="was altered"):
        forget(tmp_path / "list", "u1")
    assert (tmp_path / "list").read_bytes() == content


def test_a_list_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "list").mkdir()
    with pytest.raises(SnapshotError, match=r"list, the list of forgotten users, cannot be read: Is a directory\."):
        Forgotten.load(tmp_path / "list")


def test_of_many_who_are_forgotten_at_once_none_is_lost(tmp_path: Path) -> None:
    file, users = tmp_path / "list", [f"u{number}" for number in range(40)]
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=forget, args=(file, *users[part::4])) for part in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    found = Forgotten.load(file)
    assert [user for user in users if user not in found] == []


def test_one_who_is_killed_while_they_write_leaves_the_former_list_and_no_other_file(tmp_path: Path) -> None:
    file = tmp_path / "list"
    forget(file, "u1")

    def killed(target: Path) -> None:
        Path.replace = lambda *_: os._exit(9)  # type: ignore[method-assign] # instead of renaming the finished file
        forget(target, "u2")

    process = multiprocessing.get_context("fork").Process(target=killed, args=(file,))
    process.start()
    process.join()
    assert process.exitcode == 9
    assert [user in Forgotten.load(file) for user in ("u1", "u2")] == [True, False]
    forget(file, "u3")
    assert [user in Forgotten.load(file) for user in ("u1", "u2", "u3")] == [True, False, True]
    assert {one.name for one in tmp_path.iterdir()} == {"list", ".list.lock"}
