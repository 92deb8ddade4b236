"""Unit tests of the service's keys, logs and settings."""

import hmac
import os
from pathlib import Path

import pytest

from scoring.worker.keys import KeyRing
from scoring.worker.logs import WAITING_LINES, LogSink

KEY = b"0123456789abcdef"


def test_every_key_is_compared_in_constant_time_whatever_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it takes the same time for every key; measuring that would need an idle machine."""
    compared: list[tuple[bytes, bytes]] = []
    same = hmac.compare_digest

    def compare(given: bytes, secret: bytes) -> bool:
        compared.append((given, secret))
        return same(given, secret)

    first, second = KEY, KEY[::-1]
    (tmp_path / "keys").write_bytes(first + b"\n" + second)
    keys = KeyRing(tmp_path / "keys")
    monkeypatch.setattr(hmac, "compare_digest", compare)
    for given, valid in ((b"c" * 16, False), (first[:-1] + b"x", False), (first, True), (second, True)):
        compared.clear()
        assert (keys.find(b"Bearer " + given) is not None) == valid
        assert compared == [(given, first), (given, second)]


def test_a_keys_file_behind_a_link_that_is_swapped_is_read_again(tmp_path: Path) -> None:
    for name, key in (("old", KEY), ("new", KEY[::-1])):
        (tmp_path / name).write_bytes(key)
    link = tmp_path / "keys"
    link.symlink_to("old")
    keys = KeyRing(link)
    (tmp_path / "swap").symlink_to("new")
    (tmp_path / "swap").rename(link)
    assert keys.refresh() is True
    assert keys.find(b"Bearer " + KEY[::-1])


def test_a_reader_that_does_not_read_holds_nothing_up_and_loses_lines() -> None:
    reading, writing = os.pipe()
    sink = LogSink(writing)
    for _ in range(3):
        for _ in range(WAITING_LINES):
            sink.add(b"x" * 100)
        sink.flush()
    assert sink.dropped > 0
    os.read(reading, 1 << 20)
    sink.flush()
    os.close(reading)
