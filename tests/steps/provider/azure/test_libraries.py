"""What the job's clusters install: the files of the lock, once, and the project's own wheel for each code."""

import hashlib
import zipfile
from configparser import ConfigParser
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from steps import libraries
from steps.job_libraries import JobLibraries, build_wheel, job_libraries
from steps.libraries import Libraries, LibrariesChangedError
from tests.simulation.runtime.environment import PACKAGES
from tests.steps.provider.azure.conftest import AZURE, BLOB, VOLUMES, Cloud, container
from tests.steps.provider.steps import Take
from tools.paths import ROOT
from tools.setup.wheels import LACKING, LockedWheel, locked_packages, locked_wheels
from training.parameters import EngineName
from training.runtime import pinned_jars


@pytest.fixture
def wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JobLibraries:
    """The libraries of this code with two small files in place of 27 MB."""
    name, jar = "one-1-py3-none-any.whl", "two-2.jar"
    files = {name: b"a wheel", jar: b"a jar"}
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
    digests = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
    wheel = LockedWheel(name=name, url="https://files/one", sha256=digests[name])
    real = job_libraries(VOLUMES, EngineName.LOCAL).wheel
    made = JobLibraries(volumes=VOLUMES, wheel=real, wheels=(wheel,), jars={jar: digests[jar]})
    monkeypatch.setattr(libraries, "job_libraries", lambda *_: made)
    monkeypatch.setattr(libraries, "ensure_wheels", lambda *_: tmp_path)
    monkeypatch.setattr(libraries, "ensure_jars", lambda: tmp_path)
    return made


def inputs(wanted: JobLibraries) -> dict[str, Any]:
    return {
        **AZURE,
        "blob_endpoint": BLOB,
        "volumes": VOLUMES,
        "engine": "auto",
        "wheel": wanted.wheel.hash,
        "packages": wanted.packages,
    }


def test_they_are_uploaded_once_and_stay_for_an_up_that_goes_back_to_former_code(
    cloud: Cloud, take: Take, wanted: JobLibraries
) -> None:
    created = take(Libraries, inputs(wanted))
    lake = container("work")
    names = [blob.name for blob in lake.list_blobs(name_starts_with="libraries/")]
    there = {name.removeprefix("libraries/"): lake.download_blob(name).readall() for name in names}
    assert there[f"{wanted.packages}/one-1-py3-none-any.whl"] == b"a wheel"
    assert there[f"{wanted.packages}/two-2.jar"] == b"a jar"
    with zipfile.ZipFile(BytesIO(there[f"{wanted.wheel.hash}/{wanted.wheel.name}"])) as wheel:
        assert "training/databricks.py" in wheel.namelist()
    before = cloud.calls()
    take(Libraries, inputs(wanted))
    assert not [path for path in cloud.asked("PUT", before) if f"libraries/{wanted.packages}/" in path]
    assert created.read() is not None
    container("work").delete_blob(f"libraries/{wanted.packages}/two-2.jar")
    assert created.read() is None
    take(Libraries, inputs(wanted))
    assert created.read() is not None
    container("work").delete_blob(f"libraries/{wanted.wheel.hash}/{wanted.wheel.name}")
    assert created.read() is None
    take(Libraries, inputs(wanted))
    created.delete()
    assert created.read() is not None


@pytest.mark.usefixtures("cloud")
def test_code_that_changed_meanwhile_is_not_uploaded_under_the_old_name(take: Take, wanted: JobLibraries) -> None:
    with pytest.raises(LibrariesChangedError, match="Run `up` again"):
        take(Libraries, inputs(wanted) | {"wheel": "f" * 16})


def test_a_cluster_installs_the_project_s_wheel_after_all_others_and_synapseml_only_where_it_fits() -> None:
    native, found = (job_libraries(VOLUMES, engine) for engine in (EngineName.LOCAL, EngineName.AUTO))
    *others, own = found.wheel_paths
    assert own == f"{VOLUMES}/libraries/{found.wheel.hash}/personalization-0.1.0-py3-none-any.whl"
    assert others == [f"{VOLUMES}/libraries/{found.packages}/{wheel.name}" for wheel in found.wheels]
    *same, synapseml = found.wheels
    assert (synapseml.name.partition("-")[0], native.wheels) == ("synapseml", tuple(same))
    assert (set(found.jars.values()), native.jars) == ({jar["sha256"] for jar in pinned_jars()}, {})
    assert native.packages != found.packages


def test_a_cluster_gets_whatever_its_runtime_lacks_and_each_wheel_runs_there() -> None:
    """That the versions of the runtime's own packages are enough is seen by pip, in `make simulate`."""
    locked = {one["name"]: one for one in locked_packages(ROOT)}
    needed, waiting = set[str](), ["personalization"]
    while waiting:
        if (name := waiting.pop()) not in needed:
            needed.add(name)
            waiting += [one["name"] for one in locked[name].get("dependencies", ()) if "marker" not in one]
    there = {line.partition("==")[0] for line in PACKAGES.read_text(encoding="utf-8").splitlines()}
    assert needed - there - {"personalization"} <= set(LACKING)
    for wheel in locked_wheels(*LACKING, "synapseml"):
        assert wheel.name.endswith("-any.whl") or "x86_64" in wheel.name
        assert "musllinux" not in wheel.name
        assert "pp311" not in wheel.name
        assert len(wheel.sha256) == 64


def test_the_wheel_of_databricks_holds_its_packages_and_its_entry_point() -> None:
    with zipfile.ZipFile(BytesIO(build_wheel().content)) as wheel:
        files = set(wheel.namelist())
        (entry_points,) = [name for name in files if name.endswith(".dist-info/entry_points.txt")]
        declared = ConfigParser()
        declared.read_string(wheel.read(entry_points).decode())
    held = {"features", "recommend", "training"}
    for package in held:
        sources = {str(file.relative_to(ROOT)) for file in (ROOT / package).rglob("*.py")}
        assert sources
        assert sources <= files
    module, _, function = declared["console_scripts"]["train"].partition(":")
    assert f"{module.replace('.', '/')}.py" in files
    assert f"def {function}(" in (ROOT / f"{module.replace('.', '/')}.py").read_text()
    assert {name.split("/")[0] for name in files if not name.startswith("personalization-")} == held
