"""The wheel in the Python of the Databricks runtime, whose packages are older than the project's.

`test_training_job` runs a whole training in it.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from recommend import factors, weights
from steps.shared.wheel import build_wheel
from tests.simulation.runtime.environment import Libraries, Runtime, runtime
from tools.paths import ROOT
from tools.setup.wheels import SYNAPSEML, ensure_wheels, locked_wheels

pytestmark = pytest.mark.full

LOOK = """
import importlib, importlib.metadata, sys
for name in {imported}:
    importlib.import_module(name)
import training.databricks, training.kernels.criteo, pydantic
print(pydantic.VERSION, training.__file__, *sorted(sys.path), sep="\\n")
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Runtime:
    """The runtime, with the wheel and SynapseML installed into the folder `site` as a job's libraries."""
    wheel = build_wheel()
    file = tmp_path / wheel.name
    file.write_bytes(wheel.content)
    made = runtime()
    packages = ensure_wheels(locked_wheels(SYNAPSEML))
    wanted = Libraries(wheels=[file], lines=[SYNAPSEML], options=["--no-index", f"--find-links {packages}"])
    made.install(wanted, tmp_path / "site")
    return made


@pytest.mark.parametrize("imported", [[], ["typing_extensions"], ["typing_extensions", "pydantic"]])
@pytest.mark.parametrize("runtime_first", [True, False])
def test_the_wheel_imports_whichever_copies_come_first(
    cluster: Runtime, tmp_path: Path, imported: list[str], *, runtime_first: bool
) -> None:
    own = tmp_path / "site"
    path = [cluster.site, own] if runtime_first else [own]
    version, place, *searched = _said(cluster, path, "-c", LOOK.format(imported=imported)).splitlines()
    assert version.startswith("2.")
    assert Path(place).is_relative_to(own)
    assert str(ROOT) not in searched


def test_one_machine_learns_factors_with_the_jobs_libraries_alone(cluster: Runtime, tmp_path: Path) -> None:
    spec = ROOT / "examples" / "tables" / "dataset.yaml"
    options = ["--engine", "local", "--first-stage", "best", "--output", str(tmp_path / "run"), "--json"]
    said = _said(cluster, [tmp_path / "site"], "-m", "training", "--dataset", "tables", "--spec", str(spec), *options)
    assert set(json.loads(said)["metrics"]["recommender"]["tried"]) == {weights.NAME, factors.NAME}


def _said(cluster: Runtime, path: list[Path], *arguments: str) -> str:
    """What the runtime's Python prints, for which the folders in `path` come first."""
    told = {"PYTHONPATH": os.pathsep.join(map(str, path)), "DATABRICKS_RUNTIME_VERSION": "15.4"}
    done = subprocess.run(
        [str(cluster.python), "-P", *arguments],
        cwd=path[-1].parent,
        env=told | {"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
