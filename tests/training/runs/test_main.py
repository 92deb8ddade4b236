"""`python -m training` as a process: its output, its failures, and how it ends."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from features.bundle import checked_hash
from tests.support.criteo_rows import criteo

ON_SPARK = [pytest.mark.full, pytest.mark.spark]
ENGINES = ["local", pytest.param("spark", marks=ON_SPARK)]
IN_OWN_MOUNTS = ("unshare", "--mount", "--map-root-user")


def small() -> tuple[str, ...]:
    return (*criteo(2_000), "--num-leaves", "8")


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "training", *options]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_result_is_the_only_thing_on_standard_output(tmp_path: Path, engine: str) -> None:
    options = ("--json", "--progress", "json", "--num-iterations", "3", "--output", str(tmp_path / "run"))
    done = subprocess.run(command(*small(), *options, "--engine", engine), capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert checked_hash(Path(result["bundle"])) == result["bundle_hash"]
    assert all(json.loads(line)["message"] for line in done.stderr.splitlines())
    assert (tmp_path / "run" / "training.log").is_file()


@pytest.mark.parametrize("engine", ENGINES)
def test_sigterm_ends_a_run_and_leaves_nothing_half_written(tmp_path: Path, engine: str) -> None:
    output = tmp_path / "run"
    # More work than anybody would wait for: ending must not mean finishing first.
    slow = (*criteo(20_000), "--num-leaves", "512", "--num-iterations", "10000", "--early-stopping-rounds", "0")
    options = (*slow, "--min-data-in-leaf", "1", "--engine", engine, "--output", str(output))
    with subprocess.Popen(command(*options), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("fit: iteration" in line for line in process.stderr)
        children = psutil.Process(process.pid).children(recursive=True)
        assert any(child.name() == "java" for child in children) is (engine == "spark")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=45) == 128 + signal.SIGTERM
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []
    assert {path.name for path in output.iterdir()} <= {"training.log", "training.properties"}


@pytest.mark.full
@pytest.mark.parametrize(
    ("engine", "stages"),
    [("local", "rows, train"), pytest.param("spark", "counts, rows, rows-repeated, train", marks=ON_SPARK)],
)
def test_a_killed_run_goes_on_after_its_finished_stages_to_the_same_bundle(
    tmp_path: Path, engine: str, stages: str
) -> None:
    output = tmp_path / "run"
    options = ("--num-iterations", "3", "--progress", "json", "--json", "--engine", engine)
    with subprocess.Popen(
        command(*small(), *options, "--output", str(output)), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert any('"stage":"fit"' in line for line in process.stderr)
        killed = psutil.Process(process.pid)
        for running in [killed, *killed.children(recursive=True)]:  # it would tidy up after the death of a child
            running.kill()
    again, afresh = (
        subprocess.run(command(*small(), *options, "--output", str(folder)), capture_output=True, text=True, check=True)
        for folder in (output, tmp_path / "afresh")
    )
    assert f"continue after {stages}" in again.stderr
    assert "continue after" not in afresh.stderr
    assert json.loads(again.stdout)["bundle_hash"] == json.loads(afresh.stdout)["bundle_hash"]
    assert not (output / "work").exists()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run([*IN_OWN_MOUNTS, "true"], capture_output=True, check=False).returncode != 0,
    reason="a small disk needs a mount namespace, which this machine does not allow",
)
def test_a_full_disk_is_one_clear_error(tmp_path: Path, engine: str) -> None:
    script = f'mount -t tmpfs -o size=200k none {tmp_path} && exec "$@"'
    options = ("--num-iterations", "3", "--engine", engine, "--output", str(tmp_path / "run"))
    done = subprocess.run(
        [*IN_OWN_MOUNTS, "sh", "-c", script, "sh", *command(*small(), *options)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: The disk is full: ")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--num-leaves", "1"), "--num-leaves 1"),
        (("--dataset", "criteo", "--path", "/nowhere/train.txt"), "/nowhere/train.txt"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(options: tuple[str, ...], named: str) -> None:
    done = subprocess.run(command(*options), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert named in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_run_on_engine_local_imports_neither_spark_nor_java_nor_pandas(tmp_path: Path) -> None:
    code = "import json, sys; from training.__main__ import main; main(sys.argv[1:]); print(json.dumps([*sys.modules]))"
    options = (*small(), "--num-iterations", "3", "--engine", "local", "--output", str(tmp_path / "run"))
    done = subprocess.run([sys.executable, "-c", code, *options], capture_output=True, text=True, check=True)
    imported = {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert {"pyspark", "py4j", "synapse", "pandas"}.isdisjoint(imported)
    assert {"lightgbm", "sklearn"} <= imported
