"""Snapshots: what is written is found again, by other numbers; a file that can't be trusted is refused."""

import gc
import sqlite3
import struct
import weakref
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from features.schema import Schema
from recommend import catalogue, histories
from recommend.catalogue import Catalogue, ItemRow, Layout, State
from recommend.columns import Cell
from recommend.forgotten import NOBODY
from recommend.histories import PACKED, Histories, UserRow
from recommend.stored import SnapshotError

ITEMS = ["a", "b", "c"]
LAYOUT = Layout(item_column="item_id", separators={"title": "", "genre": "|"})
PRICED = Layout(item_column="item_id", separators={"price": "", "sku": "", "genre": "|"}, numbers=("price",))


def packed(*numbers: int) -> bytes:
    return np.array(numbers, PACKED).tobytes()


def write_histories(file: Path, *users: UserRow) -> Path:
    histories.write(file, ITEMS, users or [UserRow("u1", packed(2, 0), {"age": "30"})], "user_id")
    return file


def item(key: str, genre: str = "", state: State = State.TRAINED) -> ItemRow:
    return ItemRow(key, {"title": f"Film {key}"} | ({"genre": genre} if genre else {}), state)


def write_catalogue(file: Path, *rows: ItemRow) -> Path:
    catalogue.write(file, rows, LAYOUT)
    return file


def states(file: Path) -> dict[str, State]:
    return {row.key: row.state for row in catalogue.read_rows(file)[0]}


def test_a_history_comes_in_its_order_by_the_recommenders_numbers(tmp_path: Path) -> None:
    found = Histories(write_histories(tmp_path / "h"), ["c", "x", "a"])
    user = found.find("u1")
    assert user is not None
    assert (user.chosen.tolist(), user.columns) == ([0, 2], {"age": "30"})
    assert found.user_column == "user_id"
    assert found.find("u2") is None


def test_a_history_tells_the_strongest_choices_from_weaker_ones(tmp_path: Path) -> None:
    kinds = np.array([2, 0, 7], np.int8)
    rows = [UserRow("u1", histories.packed(np.array([2, 1, 0]), kinds), {}), UserRow("u2", packed(1, 2), {})]
    found = Histories(write_histories(tmp_path / "h", *rows), ["c", "x", "a"])
    user, other = found.find("u1"), found.find("u2")
    assert user is not None
    assert user.kinds is not None
    assert (user.chosen.tolist(), user.kinds.tolist()) == ([0, 2], [2, 7])  # not "b", which the recommender lacks
    assert other is not None
    assert other.kinds is None


@pytest.mark.parametrize("key", ["", "\0", "u1\0", "x" * 1_000_000, "ü'\"; DROP TABLE users"])
def test_keys_of_any_characters_are_unknown_or_found(tmp_path: Path, key: str) -> None:
    assert Histories(write_histories(tmp_path / "h"), ITEMS).find(key) is None
    found = Histories(write_histories(tmp_path / "h", UserRow(key, packed(1), {})), ITEMS).find(key)
    assert found is not None
    assert found.chosen.tolist() == [1]


def test_a_catalogue_that_nobody_uses_any_more_is_closed_at_once(tmp_path: Path) -> None:
    found = Catalogue(write_catalogue(tmp_path / "c", item("a")), ITEMS)
    assert found.item("a").columns["title"] == "Film a"
    left = weakref.ref(found)
    gc.disable()
    try:
        del found
        assert left() is None, "its file stays open until the garbage collector comes"
    finally:
        gc.enable()


def test_only_the_owner_reads_them(tmp_path: Path) -> None:
    file = write_histories(tmp_path / "snapshots" / "h")
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_the_version_depends_on_the_content_alone(tmp_path: Path) -> None:
    first, again = (Histories(write_histories(tmp_path / name), ITEMS) for name in "ab")
    assert first.version == again.version
    other = write_histories(tmp_path / "c", UserRow("u1", packed(2, 0), {"age": "31"}))
    assert Histories(other, ITEMS).version != first.version


def test_an_open_snapshot_outlives_its_file(tmp_path: Path) -> None:
    found = Histories(write_histories(tmp_path / "h"), ITEMS)
    write_histories(tmp_path / "h", UserRow("u2", b"", {}))
    assert found.find("u1") is not None
    (tmp_path / "h").unlink()
    assert found.find("u1") is not None


def test_after_an_error_the_former_snapshot_is_there(tmp_path: Path) -> None:
    file = write_histories(tmp_path / "h")
    before = file.read_bytes()
    with pytest.raises(SnapshotError, match="cannot be written: UNIQUE"):
        write_histories(file, UserRow("u1", b"", {}), UserRow("u1", b"", {}))
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_is_gone_cut_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="cannot be read"):
        Histories(tmp_path / "h", ITEMS)
    file = write_histories(tmp_path / "h")
    whole = file.read_bytes()
    file.write_bytes(whole[:-4096])
    with pytest.raises(SnapshotError, match=r"not a complete snapshot|cannot be read"):
        Histories(file, ITEMS)
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(SnapshotError, match="cannot be read"):
        Histories(file, ITEMS)


def test_an_altered_row_is_an_error_and_no_history(tmp_path: Path) -> None:
    file = write_histories(tmp_path / "h", UserRow("u1", packed(7), {}), UserRow("u2", b"abc", {}))
    found = Histories(file, ITEMS)
    for user in ("u1", "u2"):
        with pytest.raises(SnapshotError, match="row of a user in the snapshot was altered"):
            found.find(user)


@pytest.mark.parametrize("cut", [False, True])
def test_pages_that_are_overwritten_or_cut_off_are_an_error(tmp_path: Path, *, cut: bool) -> None:
    rows = [UserRow(f"u{number:05}", packed(0), {"age": "x" * 100}) for number in range(2_000)]
    file = write_histories(tmp_path / "h", *rows)
    found = Histories(file, ITEMS)
    with file.open("r+b") as stream:
        if cut:
            stream.truncate(5 * 4096)
        else:
            stream.seek(5 * 4096)
            stream.write(b"\xff" * (file.stat().st_size - 5 * 4096))
    with pytest.raises(SnapshotError, match="altered"):
        [found.find(row.key) for row in rows]


def test_items_are_shown_and_found_by_their_values(tmp_path: Path) -> None:
    file = write_catalogue(tmp_path / "c", item("a", "x|y"), item("b"), item("c", "y"), item("d", "z"))
    found = Catalogue(file, ["c", "nowhere", "a"])
    assert found.numbers.tolist() == [2, -1, 0]
    assert found.item("a").columns == {"item_id": "a", "genre": ["x", "y"], "title": "Film a"}
    assert found.item("nowhere").columns == {"item_id": "nowhere"}
    assert found.having("genre", ["y"]).tolist() == [True, False, True, False]
    assert found.having("genre", ["x", "z", "never"]).tolist() == [True, False, False, True]
    assert not found.having("genre", ["x|y"]).any()
    assert found.having("title", ["Film b"]).tolist() == [False, True, False, False]


def test_the_values_of_an_item_are_those_of_a_records_fields(tmp_path: Path) -> None:
    row = ItemRow("a", {"year": "1990", "minutes": "long", "genre": "x | y", "price": 24.72, "sku": "7"}, State.TRAINED)
    schema = Schema(
        numeric=("age", "year", "minutes", "price"), categorical=("user", "genre", "sku"), separators={"genre": "|"}
    )
    catalogue.write(tmp_path / "c", [row], PRICED)
    found = Catalogue(tmp_path / "c", ["a"], schema.fields)
    assert [(schema.fields[place].name, value) for place, value in found.item("a").values] == [
        ("year", 1990.0),
        ("minutes", None),
        ("price", 24.72),
        ("genre", "x|y"),
        ("sku", "7"),
    ]


PRICES = {"a": "24.72", "b": "25.0", "c": "1e3", "d": "0.1", "e": "free", "f": ""}


def test_numbers_are_numbers_and_found_by_equal_ones(tmp_path: Path) -> None:
    rows = [ItemRow(key, {"price": price, "sku": "000999"}, State.TRAINED) for key, price in PRICES.items()]
    catalogue.write(tmp_path / "c", rows, PRICED)
    found = Catalogue(tmp_path / "c", [*PRICES])
    shown = [found.item(key).shown(["price"]) for key in PRICES]
    assert repr(shown) == "[{'price': 24.72}, {'price': 25}, {'price': 1000}, {'price': 0.1}, {}, {}]"
    assert found.item("a").columns["sku"] == "000999"
    for values, those in ((["24.72"], "a"), (["25", "1000.0"], "bc"), (["0.1", "free", ""], "d"), (["24.7"], "")):
        assert "".join(np.array([*PRICES])[found.having("price", values)]) == those, values
    starts, codes = found.coded("price")
    assert codes[starts[:4]].tolist() == [1, 2, 3, 0], "a range of numbers is one of codes"


def earlier_catalogue(file: Path) -> Path:
    """A catalogue of the first format, in which every column is a text."""
    layout = '{"item_column":"item_id","separators":{"price":"","sku":"","genre":"|"}}'
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript("""
            CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
            CREATE TABLE items
                (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, columns BLOB NOT NULL, state INTEGER);
            CREATE TABLE columns (name TEXT PRIMARY KEY, starts BLOB, codes BLOB);
            CREATE TABLE texts (name TEXT, value TEXT, code INTEGER, PRIMARY KEY (name, value)) WITHOUT ROWID;
            INSERT INTO meta VALUES ('kind', 'catalogue'), ('format', 1), ('version', '0123456789ab'), ('live', 1);
            INSERT INTO texts VALUES ('price', '24.72', 0), ('sku', '7', 0), ('genre', 'x', 0), ('genre', 'y', 1);
        """)
        connection.execute("INSERT INTO meta VALUES ('layout', ?)", (layout.encode(),))
        rows = [(0, "a", b'{"price":"24.72","sku":"7","genre":"x|y"}', 1), (1, "b", b"{}", 2)]
        connection.executemany("INSERT INTO items VALUES (?, ?, ?, ?)", rows)
        for name, codes in (("price", (0,)), ("sku", (0,)), ("genre", (0, 1))):
            packed = (struct.pack(f"<{len(one)}i", *one) for one in ((0, len(codes)), codes))
            connection.execute("INSERT INTO columns VALUES (?, ?, ?)", (name, *packed))
    return file


def test_an_earlier_catalogue_is_read_and_written_again_with_its_columns_types(tmp_path: Path) -> None:
    before = earlier_catalogue(tmp_path / "before")
    schema = Schema(numeric=("price",), categorical=("genre",), separators={"genre": "|"})
    served = Catalogue(before, ["a"], schema.fields)
    assert (served.count, served.find("b")) == (1, -1)
    assert served.item("a").values == [(0, 24.72), (1, "x|y")]
    assert served.having("genre", ["y"]).tolist() == served.having("price", ["24.72"]).tolist() == [True]
    catalogue.write(tmp_path / "trained", [ItemRow("n", {"price": 3}, State.TRAINED)], PRICED)
    catalogue.carry_over(before, tmp_path / "trained", [], tmp_path / "served")
    assert catalogue.read_rows(tmp_path / "served")[0] == [
        ItemRow("a", {"price": 24.72, "sku": "7", "genre": ["x", "y"]}, State.LOADED),
        ItemRow("n", {"price": 3}, State.TRAINED),
        ItemRow("b", {}, State.WITHDRAWN),
    ]


def test_a_catalogue_of_a_later_format_says_what_to_do(tmp_path: Path) -> None:
    file = write_catalogue(tmp_path / "c", item("a"))
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE meta SET value = 3 WHERE name = 'format'")
    with pytest.raises(SnapshotError, match="has format 3, but this code reads none above 2"):
        catalogue.read_rows(file)


def test_a_withdrawn_item_is_in_the_file_and_not_in_the_catalogue(tmp_path: Path) -> None:
    file = write_catalogue(tmp_path / "c", item("a", state=State.WITHDRAWN), item("b"))
    found = Catalogue(file, ["a", "b"])
    assert found.numbers.tolist() == [-1, 0]
    assert found.count == 1
    assert states(file) == {"a": State.WITHDRAWN, "b": State.TRAINED}


def test_training_neither_changes_what_was_loaded_nor_brings_back_what_was_withdrawn(tmp_path: Path) -> None:
    served = write_catalogue(
        tmp_path / "served", item("a", "x", State.LOADED), item("b", state=State.WITHDRAWN), item("old")
    )
    trained = write_catalogue(tmp_path / "trained", item("a", "y"), item("b"), item("new"))
    catalogue.carry_over(served, trained, [], served)
    assert states(served) == {"a": State.LOADED, "b": State.WITHDRAWN, "new": State.TRAINED}
    assert Catalogue(served, ["a"]).item("a").columns["genre"] == ["x"]


def test_what_was_loaded_has_the_separators_that_training_read_last(tmp_path: Path) -> None:
    several: dict[str, Cell] = {"title": ["Up", "Down"], "genre": ["x", "y"], "extra": ["1", "2"]}
    loaded = {**several, "tags": "p;q", "size": 38.5}
    separators = {"title": "/", "genre": "|", "tags": "", "extra": "+", "size": ""}
    layout = Layout(item_column="id", separators=separators, numbers=("size",))
    catalogue.write(tmp_path / "served", [ItemRow("a", loaded, State.LOADED)], layout)
    now = Layout(item_column="id", separators={"title": "", "genre": "|", "tags": ";", "size": ""})
    catalogue.write(tmp_path / "trained", [ItemRow("b", {}, State.TRAINED)], now)
    catalogue.carry_over(tmp_path / "served", tmp_path / "trained", [], tmp_path / "served")
    (row, _), found = catalogue.read_rows(tmp_path / "served")
    assert found == Layout(item_column="id", separators=now.separators | {"extra": "+"})
    assert row.columns == {**several, "title": "Up/Down", "tags": ["p", "q"], "size": "38.5"}


def test_the_first_training_makes_the_catalogue(tmp_path: Path) -> None:
    catalogue.carry_over(tmp_path / "none", write_catalogue(tmp_path / "trained", item("a")), [], tmp_path / "served")
    assert states(tmp_path / "served") == {"a": State.TRAINED}


def test_a_user_to_try_has_some_choices_and_is_not_forgotten(tmp_path: Path) -> None:
    rows = [UserRow("-a", packed(1, 1, 1), {}), UserRow("b", packed(1, 1), {})]
    rows += [UserRow(key, packed(1, 2, 1), {}) for key in ("c", "d")]
    file = write_histories(tmp_path / "histories", *rows)
    assert histories.a_user(file, NOBODY) == "c"
    assert histories.a_user(file, NOBODY.with_user("c")) == "d"
    assert histories.a_user(file, NOBODY.with_user("c").with_user("d")) is None
