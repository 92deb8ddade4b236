"""Runs a Databricks job here: the job's own wheel on local Spark, in the runtime's Python.

The project's checkout isn't on its path. The runtime's packages come first and the job's after them, which is harder
than the documented order; one of the runtime's is imported before the task. Its files are in Unity Catalog's volumes,
as its principal may use them; the access connector behind them needs a role that has propagated (the Blob fake looks at
that).
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.simulation.fakes.runs import LibraryError, Run, TaskFailedError
from tests.simulation.fakes.volumes import Volumes
from tests.simulation.runtime import launcher
from tests.simulation.runtime.environment import Runtime
from tests.simulation.world import WORLD_VARIABLE, World
from tools.setup.console import SetupError
from training.runtime import java_home

RUNTIME = "15.4"
IMPORTED = ["typing_extensions"]
"""What the runtime has imported before a task begins."""
POLL_SECONDS = 0.2
TAIL_LINES = 30
ERROR_FILE = "error"
STOP_SECONDS = 20.0
ALONE = "local[2]"
OPTIONS = "SPARK_OPTIONS"
"""Spark's command line without its master and jars."""
MAX_WORKERS = 2
WORKER_MIB = 1024
COMPILES_QUICKLY = "-XX:TieredStopAtLevel=1"
"""For Java in a run over few rows: compiling better code costs more than it saves."""
FAILED = (
    "Library installation failed for library due to user error for {library}\n Error messages:\n"
    "Library installation attempted on the driver node of cluster 1128-110000-simulated and failed. Please refer to "
    "the following error message to fix the library or contact Databricks support. Error Code: "
    "DRIVER_LIBRARY_INSTALLATION_FAILURE. Error Message: {reason}"
)
"""A library's error, worded as users have published it in many threads."""


class LocalCluster:
    """A `Task` for `Runs`."""

    def __init__(self, world: World, runtime: Runtime, spark: Mapping[str, str]) -> None:
        """`spark` is what `spark_environment` returns."""
        self._folder = world.folder
        self._runtime = runtime
        self._spark = spark

    def __call__(self, run: Run) -> str:
        """Run the job's first task, and return its standard output."""
        world = World(self._folder)
        try:
            return self._work(world, run)
        finally:
            world.close()

    def _work(self, world: World, run: Run) -> str:
        task = run.inputs["tasks"][0]
        wheel = task["pythonWheelTask"]
        place = volumes_of(self._folder, run.number)
        folder = place.parent
        volumes = Volumes(world, run.caller, place)
        spec = {
            "package": wheel["packageName"],
            "entry_point": wheel["entryPoint"],
            "arguments": _arguments(wheel, run),
            "error": str(folder / ERROR_FILE),
            "imported": IMPORTED,
        }
        (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
        volumes.fetch()
        try:
            libraries = task.get("libraries") or []
            wheels = [_copied(volumes, folder, library["whl"], "whl") for library in libraries if library.get("whl")]
            _install(self._runtime, wheels, folder)
            jars = [_copied(volumes, folder, library["jar"], "jar") for library in libraries if library.get("jar")]
            return self._run(folder, run, volumes.environment(), jars)
        finally:
            volumes.send()  # what a run left is in the lake also after a failure

    def _run(self, folder: Path, run: Run, volumes: Mapping[str, str], jars: Sequence[Path]) -> str:
        listed = ["--jars", ",".join(str(jar) for jar in jars)] if jars else []
        environment = {
            **{name: value for name, value in os.environ.items() if name != WORLD_VARIABLE},
            **self._spark,
            **volumes,
            "PYSPARK_SUBMIT_ARGS": shlex.join(["--master", master(run), *listed]) + " " + self._spark[OPTIONS],
            "DATABRICKS_RUNTIME_VERSION": RUNTIME,
            "PYTHONPATH": os.pathsep.join([str(self._runtime.site), str(folder / "site")]),
            "PYSPARK_PYTHON": str(self._runtime.python),
            "PYTHONUNBUFFERED": "1",
            "SPARK_LOCAL_IP": "127.0.0.1",
        }
        # -P: the launcher's own folder is not on the path either.
        command = [str(self._runtime.python), "-P", launcher.__file__, str(folder / "spec.json")]
        with (folder / "stdout").open("wb") as output, (folder / "stderr").open("wb") as errors:
            child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *command],
                cwd=folder,
                env=environment,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
            while child.poll() is None:
                if run.cancelled.is_set():
                    _end(child)
                time.sleep(POLL_SECONDS)
        if child.returncode != 0 and not run.cancelled.is_set():
            raise TaskFailedError(_error(folder) or f"The task ended with {child.returncode}.")
        return (folder / "stdout").read_text(encoding="utf-8", errors="replace")


def _error(folder: Path) -> str:
    """The error that the task raised, as Databricks returns it, or the end of a killed task's output."""
    file = folder / ERROR_FILE
    if file.exists():
        return file.read_text(encoding="utf-8")
    lines = (folder / "stderr").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return "\n".join(lines[-TAIL_LINES:])


def volumes_of(folder: Path, number: int) -> Path:
    """The folder that a run sees as `/Volumes`; `folder` is the world's."""
    return folder / "runs" / str(number) / "volumes"


def spark_environment(memory_gib: int) -> dict[str, str]:
    """Variables for Java, and Spark's options: `getOrCreate` returns a session as on the job's cluster."""
    options = {
        "spark.driver.memory": f"{memory_gib}g",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "4",
    }
    confs = [part for name, value in options.items() for part in ("--conf", f"{name}={value}")]
    return {
        "JAVA_HOME": str(java_home()),
        "JAVA_TOOL_OPTIONS": COMPILES_QUICKLY,
        OPTIONS: shlex.join([*confs, "pyspark-shell"]),
    }


def master(run: Run) -> str:
    """A driver alone, or with executors in their own processes, fewer than on a real cluster."""
    workers = min(int(run.inputs["jobClusters"][0]["newCluster"].get("numWorkers") or 0), MAX_WORKERS)
    return f"local-cluster[{workers},1,{WORKER_MIB}]" if workers else ALONE


def _arguments(wheel: Mapping[str, Any], run: Run) -> list[str]:
    """The command line, with the job's parameters in place of `{{job.parameters.NAME}}`."""
    values = {entry["name"]: entry["default"] for entry in run.inputs.get("parameters") or []} | run.parameters
    named = [f"--{name}={value}" for name, value in (wheel.get("namedParameters") or {}).items()]
    given = [*(wheel.get("parameters") or []), *named]
    return [re.sub(r"\{\{job\.parameters\.(\w+)\}\}", lambda found: str(values[found[1]]), text) for text in given]


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Kill the task and the JVM that it started."""
    os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)


def _copied(volumes: Volumes, folder: Path, path: str, kind: str) -> Path:
    """A file of a volume, copied to the machine's own disk as Databricks does. Raises `LibraryError`."""
    source, target = volumes.local(path), folder / "libraries" / path.rpartition("/")[2]
    if not source.is_file():
        reason = "FileNotFoundException" if volumes.reads(path) else "PERMISSION_DENIED: no READ VOLUME"
        raise LibraryError(FAILED.format(library=f'{kind}: "{path}"', reason=f"{reason}: {path}"))
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)
    return target


def _install(runtime: Runtime, wheels: Sequence[Path], folder: Path) -> None:
    """Install wheels for a run, one after the other, into `site` in its folder. Raises `LibraryError`."""
    *others, own = wheels
    try:
        added = runtime.install(others, own)
    except SetupError as error:
        reason = f"org.apache.spark.SparkException: Process List(pip, install, --upgrade) exited with code 1. {error}"
        raise LibraryError(FAILED.format(library=f'whl: "{own.name}"', reason=reason)) from error
    shutil.copytree(added, folder / "site", dirs_exist_ok=True)
    with zipfile.ZipFile(own) as archive:
        archive.extractall(folder / "site")
