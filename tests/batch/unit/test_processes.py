"""What becomes of the processes of a batch when one of them is killed, or the first one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from batch.recommendations import shared
from tests.support.services import wait_until
from tools.paths import ROOT
from training.engines.local.pool import ProcessLostError

pytestmark = pytest.mark.slow
WORKING = """
import signal
from pathlib import Path
from batch.recommendations import shared
from tests.batch.unit.test_processes import work

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell runs in the background
    print(list(shared(work, [Path(TARGET)], 2)))
"""


def die(_: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def work(target: Path) -> int:
    """Say that it works, and work for longer than the test."""
    target.write_text(str(os.getpid()))
    time.sleep(300)
    return 0


@pytest.mark.timeout(60)
def test_a_process_that_is_killed_ends_the_run_which_can_be_continued() -> None:
    with pytest.raises(ProcessLostError, match=r"ran out of memory\. Run the command again: it continues"):
        list(shared(die, [1, 2], 2))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_process_is_left_when_the_first_one_ends(tmp_path: Path, number: int) -> None:
    script, target = tmp_path / "script.py", tmp_path / "process"
    script.write_text(WORKING.replace("TARGET", repr(str(target))))
    first = subprocess.Popen(
        [sys.executable, script], env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: target.is_file() and target.read_text())
    process = int(target.read_text())
    first.send_signal(number)
    first.communicate(timeout=30)
    wait_until(lambda: not psutil.pid_exists(process), seconds=10)
