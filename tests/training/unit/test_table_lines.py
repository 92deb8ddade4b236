"""A table's rows have an editor's line numbers, whatever is between them and wherever a block ends."""

from pathlib import Path

import pytest

from training.datasets.described import texts
from training.datasets.described.files import TableFile
from training.datasets.described.texts import Table


@pytest.mark.parametrize("block_bytes", [1, 13, 1 << 20])
@pytest.mark.parametrize("late", ["", 'u5,"3\n0"\n', "u5\n"])
def test_a_row_has_the_place_of_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int, late: str
) -> None:
    monkeypatch.setattr(texts, "BLOCK_BYTES", block_bytes)
    users = f"\ufeffuser,age\r\nu1,30\r\n\r\n \t\nu2,old\n\n\nu3,\n{late}u4,\u00e9"
    (tmp_path / "users.csv").write_bytes(users.encode())
    chunks = list(Table(TableFile(tmp_path / "users.csv"), ["age"]))
    rows = [
        (place, text)
        for chunk in chunks
        for place, text in zip(chunk.places.tolist(), chunk.columns["age"].to_pylist(), strict=True)
    ]
    assert rows == [(2, "30"), (5, "old"), (8, ""), (9 + late.count("\n"), "\u00e9")]
    assert [place for chunk in chunks for place, _ in chunk.misshapen] == ([9] if late else [])


@pytest.mark.parametrize("characters", range(1, 24))
def test_what_begins_within_so_much_text_is_read(tmp_path: Path, characters: int) -> None:
    lines = ["user\n", "u1\n", "u22\n", "u333\n", "u4\n"]
    (tmp_path / "users.csv").write_text("".join(lines))
    table = Table(TableFile(tmp_path / "users.csv"), ["user"], characters)
    read = [text for chunk in table for text in chunk.columns["user"].to_pylist()]
    starts = [sum(map(len, lines[:number])) for number in range(1, len(lines))]
    assert read == [line.strip() for line, start in zip(lines[1:], starts, strict=True) if start <= characters]
    assert table.whole == (len(read) == len(lines) - 1)
