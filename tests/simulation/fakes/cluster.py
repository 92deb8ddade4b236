"""Runs a Databricks job here: the job's own wheel on local Spark, in the runtime's Python.

The project's checkout isn't on its path. The runtime's packages come first and the job's after them, which is harder
than the documented order; one of the runtime's is imported before the task. It is let at the lake as on Databricks: an
external location must cover the path, the caller must have a grant on it, and the access connector behind it a role
that has propagated (the Blob fake looks at that).
"""

import base64
import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.simulation.fakes.lake import Lake
from tests.simulation.fakes.runs import Run, TaskFailedError
from tests.simulation.runtime import launcher
from tests.simulation.runtime.environment import Runtime
from tests.simulation.services.jobs import FILE
from tests.simulation.services.unity import GRANT, VOLUME, covering
from tests.simulation.tokens import STORAGE, issue
from tests.simulation.world import World
from training.runtime import jars, java_home

VOLUME_PRIVILEGES = {"READ_VOLUME", "USE_CATALOG", "USE_SCHEMA", "WRITE_VOLUME"}
WORKSPACE = "/Workspace"
SIMULATION = "SIMULATED_AZURE"
"""The variable that gives access to the whole simulation."""
RUNTIME = "15.4"
IMPORTED = ["typing_extensions"]
"""What the runtime has imported before a task begins."""
POLL_SECONDS = 0.2
TAIL_LINES = 30
ERROR_FILE = "error"
STOP_SECONDS = 20.0
ALONE = "local[2]"
MAX_WORKERS = 2
WORKER_MIB = 1024
COMPILES_QUICKLY = "-XX:TieredStopAtLevel=1"
"""For Java in a run over few rows: compiling better code costs more than it saves."""


class LocalCluster:
    """A `Task` for `Runs`."""

    def __init__(self, world: World, runtime: Runtime, spark: Mapping[str, str]) -> None:
        """`spark` holds `JAVA_HOME` and `PYSPARK_SUBMIT_ARGS` with the libraries."""
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

    def judge(self, world: World, run: Run) -> str:
        """A token for the lake's paths in a run's parameters; raises `TaskFailedError` if the run may not access
        them."""
        arguments = _arguments(run.inputs["tasks"][0]["pythonWheelTask"], run)
        _refuse_volumes(world, run.caller, arguments)
        return _lake_token(world, run.caller, arguments)

    def _work(self, world: World, run: Run) -> str:
        task = run.inputs["tasks"][0]
        wheel = task["pythonWheelTask"]
        place = lake_of(self._folder, run.number)
        folder = place.parent
        lake = Lake(place, self.judge(world, run))
        spec = {
            "package": wheel["packageName"],
            "entry_point": wheel["entryPoint"],
            "arguments": _arguments(wheel, run),
            "lake": str(place),
            "error": str(folder / ERROR_FILE),
            "imported": IMPORTED,
        }
        place.mkdir(parents=True)
        (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
        self._install(world, task, folder)
        return self._on_the_lake(lake, spec["arguments"], folder, run)

    def _on_the_lake(self, lake: Lake, arguments: Sequence[str], folder: Path, run: Run) -> str:
        from azure.core.exceptions import HttpResponseError

        try:
            lake.fetch(arguments)
            output = self._run(folder, run)
            if not run.cancelled.is_set():
                lake.send()
        except HttpResponseError as error:
            raise TaskFailedError(str(error)) from error
        return output

    def _install(self, world: World, task: Mapping[str, Any], folder: Path) -> None:
        """Install the task's libraries; Maven's are in the cache."""
        libraries = task.get("libraries") or []
        wheels = [_stored(world, library["whl"], folder) for library in libraries if library.get("whl")]
        packages = [library["pypi"]["package"] for library in libraries if library.get("pypi")]
        self._runtime.install(wheels, packages, folder / "site")

    def _run(self, folder: Path, run: Run) -> str:
        environment = {
            **{name: value for name, value in os.environ.items() if name != SIMULATION},
            **self._spark,
            "PYSPARK_SUBMIT_ARGS": self._spark["PYSPARK_SUBMIT_ARGS"].replace(ALONE, _master(run)),
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


def lake_of(folder: Path, number: int) -> Path:
    """The folder of a run's part of the lake; `folder` is the world's."""
    return folder / "runs" / str(number) / "lake"


def spark_environment(memory_gib: int) -> dict[str, str]:
    """Variables with which `getOrCreate` returns a session with the job's libraries, as on its cluster."""
    options = {
        "spark.driver.memory": f"{memory_gib}g",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "4",
    }
    confs = [part for name, value in options.items() for part in ("--conf", f"{name}={value}")]
    libraries = ",".join(str(jar) for jar in jars())
    return {
        "JAVA_HOME": str(java_home()),
        "JAVA_TOOL_OPTIONS": COMPILES_QUICKLY,
        "PYSPARK_SUBMIT_ARGS": shlex.join(["--master", ALONE, "--jars", libraries, *confs, "pyspark-shell"]),
    }


def _master(run: Run) -> str:
    """A driver alone, or with executors in their own processes, fewer than on a real cluster."""
    workers = min(int(run.inputs["jobClusters"][0]["newCluster"].get("numWorkers") or 0), MAX_WORKERS)
    return f"local-cluster[{workers},1,{WORKER_MIB}]" if workers else ALONE


def _arguments(wheel: Mapping[str, Any], run: Run) -> list[str]:
    """The command line, with the job's parameters in place of `{{job.parameters.NAME}}`."""
    values = {entry["name"]: entry["default"] for entry in run.inputs.get("parameters") or []} | run.parameters
    named = [f"--{name}={value}" for name, value in (wheel.get("namedParameters") or {}).items()]
    given = [*(wheel.get("parameters") or []), *named]
    return [re.sub(r"\{\{job\.parameters\.(\w+)\}\}", lambda found: str(values[found[1]]), text) for text in given]


def _lake_token(world: World, caller: str, arguments: Sequence[str]) -> str:
    """A token of the access connector for the paths in `arguments`; raises if Unity Catalog allows no access."""
    token = ""
    for found in (match for text in arguments for match in launcher.URL.finditer(text)):
        url = found[0].rstrip("/") + "/"
        place = covering(world, url)
        if place is None:
            raise TaskFailedError(f"PERMISSION_DENIED: no external location covers '{found[0]}'.")
        name = place.inputs["name"]
        granted = {
            str(grant.inputs["principal"]) for grant in world.all(GRANT) if grant.inputs.get("externalLocation") == name
        }
        if not granted & {caller, "account users"}:
            raise TaskFailedError(f"PERMISSION_DENIED: User does not have READ FILES on External Location '{name}'.")
        credential = world.get(f"/metastore/storage-credentials/{place.inputs['credentialName']}")
        connector = world.get(credential.inputs["azureManagedIdentity"]["accessConnectorId"]) if credential else None
        if connector is None:
            raise TaskFailedError(f"INVALID_STATE: the credential of External Location '{name}' leads nowhere.")
        token = issue(world, connector.outputs["identity"]["principalId"], STORAGE)[0]
    return token


def _refuse_volumes(world: World, caller: str, arguments: Sequence[str]) -> None:
    """Raise if the caller may not read and write a volume in `arguments`."""
    for found in (match for text in arguments for match in launcher.VOLUME.finditer(text)):
        if not any(item.id.endswith("/" + ".".join(found.groups())) for item in world.all(VOLUME)):
            raise TaskFailedError(f"UC_VOLUME_NOT_FOUND: there is no volume {found[0]}.")
        granted = {
            str(grant.inputs["principal"])
            for grant in world.all(GRANT)
            if grant.inputs.get("catalog") == found[1] and set(grant.inputs["privileges"]) >= VOLUME_PRIVILEGES
        }
        if caller not in granted:
            raise TaskFailedError(f"PERMISSION_DENIED: User does not have WRITE VOLUME on {found[0]}.")


def _stored(world: World, path: str, folder: Path) -> Path:
    """The wheel at this path of the workspace, as a file in `folder`."""
    file = next(item for item in world.all(FILE) if item.inputs["path"] == path.removeprefix(WORKSPACE))
    wheel = folder / path.rpartition("/")[2]
    wheel.write_bytes(base64.b64decode(file.inputs["contentBase64"]))
    return wheel


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Kill the task and the JVM that it started."""
    os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
