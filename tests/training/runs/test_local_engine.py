"""Engine local: any number of processes and any block size give the same bundle, and failures are readable."""

import gzip
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.criteo_rows import write
from tests.support.training_runs import pieces_of, prepared, train
from training.datasets import tables_of
from training.errors import DatasetError, MalformedRowError
from training.failure import DiskFullError, explain
from training.local import chunks, counting
from training.local.engine import LocalEngine, processes_for
from training.local.pool import Pool, ProcessLostError
from training.parameters import CriteoDataset
from training.tables import opening
from training.tables.columns import table_rules
from training.tables.reading import unchanged

WITH_SERVER_AND_TRACKER = 4
"""The extra processes of a pool: the fork server, and Python's resource tracker."""
ROW = "\t".join(["1", *["5"] * 13, *["68fd1e64"] * 26])


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3,000 rows of Criteo's format, 0.7 MB."""
    return write(tmp_path_factory.mktemp("rows") / "rows.tsv", 3_000)


@pytest.mark.full
def test_one_process_and_two_make_the_same_bundle_whatever_the_blocks(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--dataset", "criteo", "--path", str(rows))
    alone = train(tmp_path / "alone", *options)
    monkeypatch.setattr(opening, "BLOCK_BYTES", 100_000)
    monkeypatch.setattr(counting, "COUNTED_ROWS", 700)
    in_blocks = train(tmp_path / "blocks", *options)
    together = train(tmp_path / "together", *options, processes=2)
    assert in_blocks.result.bundle_hash == alone.result.bundle_hash == together.result.bundle_hash
    assert any("1 of 8 tasks" in line for line in in_blocks.progress)


LINE = st.text(st.sampled_from("ab\r"), max_size=5)


@given(st.lists(LINE, max_size=12), st.sampled_from(["", "\n"]), st.integers(1, 9))
def test_parts_of_a_file_hold_each_line_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], end: str, size: int
) -> None:
    content = ("\n".join(lines) + end).encode() or b"\n"
    plain, packed = (tmp_path_factory.mktemp("file") / name for name in ("rows", "rows.gz"))
    plain.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "BLOCK_BYTES", size)
        for file in (plain, packed):
            found: list[bytes] = []
            for part in opening.parts(file):
                with opening.open_bytes(file) as stream:
                    found += opening.whole_lines(stream, *part)
            assert b"".join(found) == content
            assert all(block.endswith(b"\n") for block in found[:-1])


def test_wrong_rows_are_named_whichever_process_meets_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "BLOCK_BYTES", 1_000)
    lines = [ROW] * 400
    for number in (150, 300):
        lines[number - 1] = ROW.replace("5", "five", 1)
    file = tmp_path / "day"
    file.write_text("\n".join(lines))
    with (
        closing(LocalEngine(data_size=0, processes=2)) as engine,
        pytest.raises(
            MalformedRowError, match="number int00: 2 of 400 fields are not a number: line 150 'five', line 300"
        ),
    ):
        prepared(engine, CriteoDataset(kind="criteo", path=str(file)), tmp_path / "rows")


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "day"
    file.write_text(f"{ROW}\n")
    spec = tables_of(CriteoDataset(kind="criteo", path=str(file)), None)
    with (
        pytest.raises(DatasetError, match=r"day changed while it was read\. Run the command again"),
        unchanged(table_rules(spec)),
    ):
        file.write_text(f"{ROW}\n{ROW}\n")


@pytest.mark.parametrize(
    ("size", "memory", "cores", "expected"),
    [
        pytest.param(1_000_000, 64, 16, 1, id="little to do"),
        pytest.param(10**10, 64, 16, 16, id="room for all cores"),
        pytest.param(0, 64, 16, 16, id="nobody knows how much to do"),
        pytest.param(10**10, 2, 16, 5, id="room for five times 400 MiB"),
        pytest.param(10**10, 1, 1, 1, id="one core"),
    ],
)
def test_as_many_processes_run_as_pay_and_have_room(size: int, memory: int, cores: int, expected: int) -> None:
    assert processes_for(size, memory_gib=memory, cores=cores) == expected


def write_to_full_disk(target: Path) -> int:
    """A task that finds the disk full."""
    return chunks.write(target, [pa.RecordBatch.from_pydict({"row": np.arange(100_000)})])


def test_a_full_disk_that_a_process_of_the_pool_met_is_told_the_same_way(tmp_path: Path) -> None:
    targets = [tmp_path / f"{number}{chunks.SUFFIX}" for number in range(2)]
    for target in targets:
        target.with_suffix(".partial").symlink_to("/dev/full")
    with closing(Pool(2)) as pool, pytest.raises(OSError, match="No space left on device") as raised:
        list(pool.map(write_to_full_disk, targets))
    assert isinstance(explain(raised.value, log=tmp_path / "log"), DiskFullError)
    assert not any(target.exists() for target in targets)


def test_files_of_a_folder_that_are_packed_are_read_by_a_process_each(rows: Path, tmp_path: Path) -> None:
    for name in ("day_0.gz", "day_1.gz", "day_2.gz"):
        (tmp_path / name).write_bytes(gzip.compress(rows.read_bytes()))
    pieces = pieces_of(CriteoDataset(kind="criteo", path=str(tmp_path)))
    assert [sum(map(len, piece())) for piece in pieces] == [3_000] * 3


def end(number: int) -> int:
    """A task whose process is killed."""
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_killed_process_of_the_pool_is_a_sentence_and_no_hang() -> None:
    with closing(Pool(2)) as pool, pytest.raises(ProcessLostError, match="was killed while it was working"):
        list(pool.map(end, [0, 1, 2]))


def test_no_process_of_the_pool_outlives_a_run_that_was_killed() -> None:
    code = "import time; from training.local.pool import Pool; list(Pool(2).map(time.sleep, [60, 60]))"
    with subprocess.Popen([sys.executable, "-c", code]) as run:
        workers: list[psutil.Process] = []
        while run.poll() is None and len(workers) < WITH_SERVER_AND_TRACKER:
            time.sleep(0.1)
            workers = psutil.Process(run.pid).children(recursive=True)
        run.kill()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert len(workers) == WITH_SERVER_AND_TRACKER
    assert alive == []
