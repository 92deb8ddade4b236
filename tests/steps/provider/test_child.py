"""Child processes of a step: their output, their end by interruption, and leftovers of a killed run."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from azure_clients.retries import StepCancelledError
from steps.child import PROCESS, Finished, end_orphan, run_child
from tests.steps.provider.steps import Recorder
from training.progress import reason_in

STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), file=sys.stderr, flush=True)
time.sleep(600)
"""
WITH_GRANDCHILD = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {STUBBORN!r}], process_group=0)  # as Spark's Python workers
time.sleep(600)
"""
"""The grandchild names itself once it ignores the signal."""


def run(code: str, folder: Path, recorder: Recorder) -> Finished:
    """Run Python code the way a step runs training; lines that begin with `progress` are progress messages."""

    def on_line(line: str) -> bool:
        recorder.lines.append(line)
        return line.startswith("progress")

    command = [sys.executable, "-c", code]
    return run_child(command, folder=folder, environment=os.environ, on_line=on_line, context=recorder.context)


def gone(pid: int) -> bool:
    """Whether no process with this ID is running."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_output_and_exit_code_come_back_and_progress_is_kept_out_of_the_log(tmp_path: Path, recorder: Recorder) -> None:
    code = "import sys; print('result'); sys.stderr.write('progress 1\\nerror: no rows\\n'); raise SystemExit(3)"
    finished = run(code, tmp_path, recorder)
    assert (finished.code, finished.output, finished.error) == (3, "result\n", "error: no rows")
    assert recorder.lines == ["progress 1", "error: no rows"]
    assert (tmp_path / "stderr").read_text() == "error: no rows\n"
    assert not (tmp_path / PROCESS).exists()


def test_an_error_of_many_lines_comes_back_whole(tmp_path: Path, recorder: Recorder) -> None:
    code = "import sys; sys.stderr.write('before\\n' * 1_000 + 'error: wrong:\\n' + '  a column\\n' * 200)"
    finished = run(code, tmp_path, recorder)
    assert reason_in(finished.error) == "wrong:" + "\n  a column" * 200


def test_a_running_child_is_remembered_for_an_up_after_a_kill(tmp_path: Path, recorder: Recorder) -> None:
    class Reading(list[str]):
        """Reads the file as soon as the child has spoken."""

        def append(self, line: str) -> None:
            kept = json.loads((tmp_path / PROCESS).read_text())
            super().append(f"{line} {kept['pid']}")

    recorder.lines = Reading()
    run("import os, sys; print(os.getpid(), file=sys.stderr)", tmp_path, recorder)
    (line,) = recorder.lines
    said, kept = line.split()
    assert said == kept


@pytest.mark.timeout(120)
def test_an_interruption_ends_the_child_and_everything_that_it_started(tmp_path: Path, recorder: Recorder) -> None:
    def interrupt() -> None:
        while not recorder.lines:
            time.sleep(0.05)
        recorder.cancelled.set()

    threading.Thread(target=interrupt).start()
    with pytest.raises(StepCancelledError, match="Run `up` again to continue"):
        run(WITH_GRANDCHILD, tmp_path, recorder)
    assert gone(int(recorder.lines[0]))
    assert not (tmp_path / PROCESS).exists()


def test_what_a_killed_run_left_behind_is_ended_and_what_only_has_its_number_is_not(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        for command in (["sleep", "600"], psutil.Process(process.pid).cmdline()):
            assert process.poll() is None
            (tmp_path / PROCESS).write_text(json.dumps({"pid": process.pid, "command": command}))
            end_orphan(tmp_path)
        assert process.wait(timeout=10) == -15
    finally:
        process.kill()
        process.wait()
