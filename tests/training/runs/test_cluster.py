"""Training on separate executor processes: the same model, and a clear error when one of them is lost."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pyspark
import pytest

from tests.support.criteo_rows import criteo
from training.streams import LOG

pytestmark = [pytest.mark.spark, pytest.mark.full]

CLUSTER = "local-cluster[2,1,1536]"
ROWS = 150_000
"""Read in three pieces."""
BACKEND = "org.apache.spark.executor.CoarseGrainedExecutorBackend"
NOTICED_SOON = {
    "spark_executor_heartbeatInterval": "2s",
    "spark_network_timeout": "20s",
    "spark_network_timeoutInterval": "5s",
}
"""After how long without a heartbeat Spark gives an executor up; by default two to three minutes."""
SECONDS_TO_END = 90
"""The time for a run that lost an executor to end. SynapseML alone may wait for two hours."""


def command(master: str, output: Path, *options: str) -> list[str]:
    module = [sys.executable, "-m", "tests.support.spark_run", master]
    return [
        *module,
        *criteo(ROWS),
        "--num-iterations",
        "20",
        "--engine",
        "spark",
        "--driver-memory-gib",
        "1",
        "--progress",
        "json",
        "--output",
        str(output),
        *options,
    ]


def environment(folder: Path, **configuration: str) -> dict[str, str]:
    """A Spark home in `folder`, where its executors log, with further settings."""
    home = folder / "spark"
    home.mkdir(parents=True)
    for part in Path(pyspark.__file__).parent.iterdir():
        if part.name != "work":
            (home / part.name).symlink_to(part)
    options = " ".join(f"--conf {name.replace('_', '.')}={value}" for name, value in configuration.items())
    return {**os.environ, "SPARK_HOME": str(home), "PYSPARK_SUBMIT_ARGS": f"{options} pyspark-shell"}


def trained(master: str, folder: Path, **configuration: str) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """The metrics and the progress reports of a run."""
    done = subprocess.run(
        command(master, folder),
        env=environment(folder, **configuration),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["metrics"], [json.loads(line) for line in done.stderr.splitlines()]


@contextmanager
def fitting(folder: Path, **configuration: str) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """A run whose two executors are in the middle of the fit, and those executors."""
    endless = ("--num-leaves", "512", "--num-iterations", "10000", "--early-stopping-rounds", "0")
    run = command(CLUSTER, folder, *endless, "--min-data-in-leaf", "1")
    with subprocess.Popen(run, env=environment(folder, **configuration), stderr=subprocess.PIPE, text=True) as process:
        try:
            while process.poll() is None and not both_at_work(folder):
                time.sleep(0.5)
            assert process.poll() is None, process.communicate()[1]
            yield process, executors_of(folder)
        finally:
            process.kill()
            for executor in executors_of(folder):
                executor.kill()


def executors_of(folder: Path) -> list[psutil.Process]:
    home = f"{folder}/spark/"
    running = psutil.process_iter(["cmdline"])  # of a zombie it is None
    commands = ((process, process.info["cmdline"] or ()) for process in running)
    return [process for process, words in commands if BACKEND in words and any(home in word for word in words)]


def both_at_work(folder: Path) -> bool:
    logs = [file.read_text(errors="replace") for file in folder.glob("spark/work/*/*/stderr")]
    return sum("LightGBM task starting iteration 3" in text for text in logs) == 2


def test_two_executors_make_a_model_as_good_as_that_of_one_process(tmp_path: Path) -> None:
    cluster, reports = trained(CLUSTER, tmp_path / "cluster", spark_sql_files_maxPartitionBytes="1m")
    assert max(report["total"] for report in reports if report["stage"] == "encode" and report["total"]) > 2
    assert "driver expecting 2 connections" in (tmp_path / "cluster" / LOG).read_text()
    local, _ = trained("local[2]", tmp_path / "local")
    assert cluster["rows"] == local["rows"]
    assert cluster["auc"] == pytest.approx(local["auc"], abs=0.002)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSTOP"])
def test_a_lost_executor_is_an_error_and_no_hang(name: str, tmp_path: Path) -> None:
    with fitting(tmp_path, **NOTICED_SOON) as (process, executors):
        assert len(executors) == 2
        executors[0].send_signal(signal.Signals[name])
        _, error = process.communicate(timeout=SECONDS_TO_END)
    assert process.returncode == 1
    assert "was lost, and LightGBM can't continue without it" in error.splitlines()[-1]
    assert "training.driver_memory_gib" in error.splitlines()[-1]


@pytest.mark.parametrize(
    ("stage", "when"),
    # an evaluation may end before its tasks were ever counted
    [("prepare", '"done":0'), ("count", '"done":0'), ("encode", '"done":0'), ("evaluate", "")],
)
def test_what_an_executor_that_is_lost_has_done_is_done_again(stage: str, when: str, tmp_path: Path) -> None:
    with subprocess.Popen(
        command(CLUSTER, tmp_path),
        env=environment(tmp_path, **NOTICED_SOON),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert any(f'"stage":"{stage}"' in line and when in line for line in process.stderr)
        executors_of(tmp_path)[0].kill()
        printed, error = process.communicate()
    assert process.returncode == 0, error
    assert sum(json.loads(printed)["rows"].values()) == ROWS


@pytest.mark.parametrize("master", ["local[2]", CLUSTER])
def test_memory_that_ran_out_names_the_setting_that_gives_more(master: str, tmp_path: Path) -> None:
    run = [sys.executable, "-m", "tests.support.spark_overfilled", master, str(tmp_path)]
    done = subprocess.run(run, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    seen = r"(java\.lang\.OutOfMemoryError: .+|exited with code 52)"  # of an executor, whichever comes first
    assert re.match(rf"error: Spark ran out of memory \({seen}\)\. Increase ", done.stderr.splitlines()[-1])
    assert "`training.driver_memory_gib`" in done.stderr.splitlines()[-1]


def test_a_java_that_was_killed_is_one_clear_error(tmp_path: Path) -> None:
    run = command("local[2]", tmp_path / "run")
    with subprocess.Popen(run, env=environment(tmp_path), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any('"stage":"encode"' in line for line in process.stderr)
        (java,) = [child for child in psutil.Process(process.pid).children(recursive=True) if child.name() == "java"]
        java.kill()
        _, error = process.communicate(timeout=SECONDS_TO_END)
    assert process.returncode == 1
    assert error.splitlines()[-1].startswith("error: Spark's Java process ended")
