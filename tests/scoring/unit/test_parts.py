"""Unit tests of the service's keys, logs and settings."""

import base64
import hmac
import json
import os
from pathlib import Path

import pytest

from scoring.errors import KeysError
from scoring.settings import parse
from scoring.worker.keys import Key, KeyRing
from scoring.worker.logs import WAITING_LINES, LogSink

KEY = b"0123456789abcdef"


def test_the_scheme_of_a_key_is_not_case_sensitive(tmp_path: Path) -> None:
    keys = _ring(tmp_path, KEY)
    assert keys.find(b"Bearer " + KEY)
    assert keys.find(b"bearer " + KEY)
    assert not keys.find(b"Basic " + KEY)
    assert not keys.find(KEY)
    assert not keys.find(b"Bearer  " + KEY)
    assert not keys.find(b"")


def test_blank_lines_of_a_keys_file_do_not_count(tmp_path: Path) -> None:
    assert _ring(tmp_path, b"\n" + KEY + b"\n\n").find(b"Bearer " + KEY)


@pytest.mark.parametrize("keys", [0, 17])
def test_there_are_one_to_sixteen_keys(tmp_path: Path, keys: int) -> None:
    with pytest.raises(KeysError, match=f"has {keys} keys"):
        _ring(tmp_path, (KEY + b"\n") * keys)


def test_a_key_goes_by_its_name_or_by_its_place(tmp_path: Path) -> None:
    keys = _ring(tmp_path, b"mobile-app=" + KEY + b"\n" + KEY[::-1] + b"\nMDEyMzQ1Njc4OWFiY2RlZg==\n")
    assert keys.names == ["mobile-app", "key-2", "key-3"]
    assert keys.find(b"Bearer " + KEY) == Key("mobile-app", KEY)
    assert keys.find(b"Bearer mobile-app=" + KEY) is None
    assert keys.find(b"Bearer MDEyMzQ1Njc4OWFiY2RlZg==") is not None


def test_two_keys_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="the same name"):
        _ring(tmp_path, b"web=" + KEY + b"\nweb=" + KEY[::-1])


def test_a_browser_sends_the_key_as_a_password_and_only_where_it_may(tmp_path: Path) -> None:
    keys = _ring(tmp_path, KEY)
    sent = b"Basic " + base64.b64encode(b"anybody:" + KEY)
    assert keys.find(sent, basic=True) == Key("key-1", KEY)
    assert keys.find(sent) is None
    assert keys.find(b"Basic " + KEY, basic=True) is None
    assert keys.find(b"Basic " + base64.b64encode(KEY), basic=True) is None


def test_an_empty_line_is_never_a_key(tmp_path: Path) -> None:
    assert not _ring(tmp_path, KEY + b"\n\n").find(b"Bearer ")


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
    keys = _ring(tmp_path, first + b"\n" + second)
    monkeypatch.setattr(hmac, "compare_digest", compare)
    for given, valid in ((b"c" * 16, False), (first[:-1] + b"x", False), (first, True), (second, True)):
        compared.clear()
        assert (keys.find(b"Bearer " + given) is not None) == valid
        assert compared == [(given, first), (given, second)]


def test_a_keys_file_is_complained_about_once_a_change(tmp_path: Path) -> None:
    keys = _ring(tmp_path, KEY)
    (tmp_path / "keys").write_bytes(b"short")
    with pytest.raises(KeysError, match="shorter than 16"):
        keys.refresh()
    assert keys.refresh() is False
    (tmp_path / "keys").write_bytes(KEY[::-1])
    assert keys.refresh() is True
    assert keys.find(b"Bearer " + KEY[::-1])


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


def test_lines_are_written_whole_and_in_order() -> None:
    reading, writing = os.pipe()
    sink = LogSink(writing)
    for number in range(100):
        sink.event("something", number=number)
    sink.flush()
    lines = os.read(reading, 1 << 20).splitlines()
    assert [json.loads(line)["number"] for line in lines] == list(range(100))


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


def test_a_full_disk_loses_lines_and_nothing_else() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    sink = LogSink(descriptor)
    sink.event("something")
    sink.flush()
    assert sink.dropped == 1
    os.close(descriptor)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "--bundle"),
        (["--bundle", "b"], "--keys-file is required"),
        (["--bundle", "b", "--keys-file", "k", "--port", "70000"], "70000 is not between 0 and 65535"),
        (["--bundle", "b", "--keys-file", "k", "--workers", "0"], "0 is not between 1 and 256"),
        (["--bundle", "b", "--keys-file", "k", "--engine", "magic"], "invalid"),
        (["--bundle", "b", "--keys-file", "k", "--tls-cert", "c"], "belong together"),
    ],
)
def test_wrong_settings_end_with_a_usage_message(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def _ring(folder: Path, content: bytes) -> KeyRing:
    (folder / "keys").write_bytes(content)
    return KeyRing(folder / "keys")
