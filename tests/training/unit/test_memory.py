"""How much memory is left, by the machine and by a container's limit."""

from pathlib import Path

import pytest

from training import memory


@pytest.mark.parametrize(
    ("limit", "left"),
    [
        (None, 8_000_000 * 1024),
        ("max", 8_000_000 * 1024),
        ("4000000000", 3_500_000_000),
        ("90000000000", 8_192_000_000),
    ],
)
def test_the_tighter_of_both_limits_holds(
    limit: str | None, left: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9000000 kB\nMemFree: 100 kB\nMemAvailable: 8000000 kB\n")
    if limit is not None:
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text("700000000\n")
        (tmp_path / "memory.stat").write_text("anon 500000000\nactive_file 1\ninactive_file 200000000\n")
    monkeypatch.setattr(memory, "MACHINE", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    assert memory.available() == left
