"""What the training bench counts as a run's processor time."""

import subprocess
import sys

import psutil

from benchmarks.training_run import Clock

BURNT_SECONDS = 0.2
COUNTED_SECONDS = BURNT_SECONDS / 2
"""Linux tells whole hundredths alone, of time spent for the process and in it."""
PARENT = f"""
import os, signal, sys, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # as the process does that Spark's workers are forked from
for _ in range(2):
    ended, end = os.pipe()
    if os.fork() == 0:
        while time.process_time() < {BURNT_SECONDS}:
            pass
        print("burnt", flush=True)
        os.read(0, 1)
        os._exit(0)
    os.close(end)
    os.read(ended, 1)  # until the child is gone
"""


def test_the_time_of_a_worker_that_ended_stays_counted() -> None:
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        clock = Clock(family=psutil.Process(process.pid))
        looked = []
        for _ in range(2):
            assert process.stdout.readline() == b"burnt\n"
            looked.append(clock.look())
            process.stdin.write(b"\n")
    first, both = looked
    assert first >= COUNTED_SECONDS
    assert both >= first + COUNTED_SECONDS
