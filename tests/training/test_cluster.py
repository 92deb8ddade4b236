"""Training on executors that are processes of their own: the same model, and a clear end when one of them is lost."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from infra.paths import ROOT

pytestmark = [pytest.mark.spark, pytest.mark.full]

CLUSTER = "local-cluster[2,1,1536]"
SECONDS = 240.0
"""After which a run that has lost an executor counts as hanging."""


ROWS = 120_000
"""Three blocks of generated rows, and so three partitions for two slots."""


def command(master: str, output: Path, *options: str) -> list[str]:
    small = ("--rows", str(ROWS), "--num-iterations", "20", "--driver-memory-gib", "1", "--progress", "json", "--json")
    return [
        sys.executable,
        str(ROOT / "tests" / "support" / "spark_run.py"),
        master,
        *small,
        "--output",
        str(output),
        *options,
    ]


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "SPARK_WORKER_DIR": str(folder / "workers"), "PYTHONPATH": str(ROOT)}


def test_two_executors_make_a_model_as_good_as_that_of_one_process(tmp_path: Path):
    metrics = {}
    for name, master in (("cluster", CLUSTER), ("local", "local[2]")):
        done = subprocess.run(
            command(master, tmp_path / name), env=environment(tmp_path), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        metrics[name] = json.loads(done.stdout)["metrics"]
    assert abs(metrics["cluster"]["auc"] - metrics["local"]["auc"]) <= 0.002
    assert metrics["cluster"]["rows"] == metrics["local"]["rows"]


def test_a_lost_executor_is_an_error_and_no_hang(tmp_path: Path):
    slow = ("--num-leaves", "512", "--num-iterations", "10000", "--early-stopping-rounds", "0")
    with subprocess.Popen(
        command(CLUSTER, tmp_path / "run", *slow, "--min-data-in-leaf", "1"),
        env=environment(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert any('"stage":"fit"' in line for line in process.stderr)
        time.sleep(15)
        executors = [
            child
            for child in psutil.Process(process.pid).children(recursive=True)
            if any("CoarseGrainedExecutorBackend" in part for part in child.cmdline())
        ]
        executors[0].kill()
        try:
            _, error = process.communicate(timeout=SECONDS)
        finally:
            for child in psutil.Process().children(recursive=True):
                child.kill()
    assert process.returncode == 1
    assert error.splitlines()[-1].startswith("error: ")
    assert "executor" in error.splitlines()[-1].lower()
