"""A job's libraries and files, from volumes of the lake: a small wheel in the runtime's Python, without Spark."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.simulation.clients.calls import NOBODY
from tests.simulation.databricks.cloud import Databricks
from tests.simulation.databricks.provider import TYPES
from tests.simulation.examples.azure import example
from tests.simulation.examples.changes import changed
from tests.simulation.examples.lakehouse import create_before
from tests.simulation.examples.names import DEPLOYER
from tests.simulation.fakes.cluster import OPTIONS, LocalCluster
from tests.simulation.fakes.runs import LibraryError, Run, TaskFailedError
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.runtime.environment import runtime
from tests.simulation.services import databricks as workspaces
from tests.simulation.services.jobs import JOB
from tests.simulation.services.privileges import GRANT
from tools import azurite

pytestmark = pytest.mark.skipif(azurite.command() is None, reason="needs `python -m tools.azurite`")
VOLUME = "/Volumes/dev/training/work"
ROLE = "azure-native:authorization:RoleAssignment"
COUNT = """
import os, sys
from pathlib import Path

def train():
    place = Path(sys.argv[1])
    rows = "".join(path.read_text() for path in sorted(place.rglob("*.tsv")))
    (place / "gone.txt").unlink(missing_ok=True)
    (place / "out").mkdir(exist_ok=True)
    (place / "out" / "made.txt").write_text(str(len(rows)))
    if rows == "wrong":
        raise ValueError("These rows are wrong.")
    print(os.environ.get("SPARK_LOCAL_DIRS"))
"""


def wheel_of(code: str) -> bytes:
    """A wheel `tool` with the entry point `train` and the module's `code`."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("tool.py", code)
        archive.writestr("tool-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tool\nVersion: 1\n")
        archive.writestr("tool-1.dist-info/entry_points.txt", "[console_scripts]\ntrain = tool:train\n")
        archive.writestr("tool-1.dist-info/RECORD", "")
    return packed.getvalue()


class Job:
    """A job whose library and files are in the volume `work`."""

    def __init__(self, cloud: AzureNative, databricks: Databricks) -> None:
        self.world = cloud.world
        self.databricks = databricks
        self._runs = 0
        task = {"packageName": "tool", "entryPoint": "train", "parameters": [f"{VOLUME}/data"]}
        self.inputs = changed(self.world.all(JOB)[0].inputs, "tasks.0.pythonWheelTask", {})
        self.inputs["tasks"][0]["pythonWheelTask"] = task
        self.needs({"requirements": f"{VOLUME}/tool/requirements.txt"})

    def needs(self, *libraries: dict[str, Any]) -> None:
        """Name the task's libraries."""
        self.inputs["tasks"][0]["libraries"] = list(libraries)

    def run(self, who: str = DEPLOYER) -> str:
        """A run, and what it prints."""
        self._runs += 1
        cluster = LocalCluster(self.world, runtime(), {OPTIONS: ""})
        number = 900 + 10 * self._runs
        return cluster(Run(number, "1", token=None, parameters={}, inputs=self.inputs, caller=who))


@pytest.fixture
def lake() -> Any:
    """The container of the volume, for the deployer."""
    from azure.identity import AzureCliCredential
    from azure.storage.blob import ContainerClient

    return ContainerClient("https://lakeabc.blob.core.windows.net", "work", AzureCliCredential())


@pytest.fixture(scope="module")
def examples(cloud: AzureNative) -> Iterator[Databricks]:
    """The examples of Databricks in the cloud, whose access connector has no role yet."""
    container = "azure-native:storage:BlobContainer"
    cloud.create(container, example(container) | {"containerName": "work"})
    workspace = cloud.world.all(workspaces.TYPE)[0]
    cloud.world.set("members", {workspace.outputs["workspaceId"]: [DEPLOYER]})
    databricks = Databricks(cloud.world, TYPES)
    databricks.configure({"host": f"https://{workspace.outputs['workspaceUrl']}"})
    if not cloud.world.all(JOB):
        create_before(databricks, None)
    yield databricks
    cloud.world.set("members", {})


def give_role(cloud: AzureNative) -> str:
    """Give the access connector its role on the lake; returns the assignment's id."""
    connector = next(item for item in cloud.world.all() if item.id.endswith("/lake-access"))
    principal = {"principalId": connector.outputs["identity"]["principalId"], "principalType": "ServicePrincipal"}
    given = example(ROLE) | principal | {"roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0043"}
    return cloud.create(ROLE, given).id


@pytest.fixture
def role(cloud: AzureNative) -> Iterator[None]:
    """The connector's role, for one test."""
    given = give_role(cloud)
    yield
    cloud.delete(ROLE, given)


@pytest.fixture
def job(cloud: AzureNative, examples: Databricks, lake: Any) -> Job:
    """The job with its wheel and rows."""
    for name, content in {
        "tool/requirements.txt": f"--no-index\n{VOLUME}/tool/tool-1-py3-none-any.whl\n".encode(),
        "tool/tool-1-py3-none-any.whl": wheel_of(COUNT),
        "data/in/part-0.tsv": b"seven77",
        "data/gone.txt": b"",
    }.items():
        lake.upload_blob(f"files/{name}", content, overwrite=True)
    return Job(cloud, examples)


def test_the_connector_needs_its_role_and_a_run_leaves_its_files_even_if_it_fails(
    cloud: AzureNative, job: Job, lake: Any
) -> None:
    with pytest.raises(TaskFailedError, match="AuthorizationPermissionMismatch"):
        job.run()
    given = give_role(cloud)
    assert job.run() == "None\n"
    assert lake.download_blob("files/data/out/made.txt").readall() == b"7"
    assert not lake.get_blob_client("files/data/gone.txt").exists()
    lake.upload_blob("files/data/in/part-0.tsv", b"wrong", overwrite=True)
    with pytest.raises(TaskFailedError, match="These rows are wrong"):
        job.run()
    assert lake.download_blob("files/data/out/made.txt").readall() == b"5"
    cloud.delete(ROLE, given)


@pytest.mark.usefixtures("role")
def test_a_run_uses_a_volume_as_its_principal_may(job: Job) -> None:
    """The owner needs no grant; somebody else needs one for each thing."""
    world = job.world
    place = f"{VOLUME}/data"
    for privileges, refused in (
        (["USE_CATALOG", "USE_SCHEMA"], LibraryError),
        (["USE_CATALOG", "USE_SCHEMA", "READ_VOLUME"], TaskFailedError),
        (["USE_CATALOG", "USE_SCHEMA", "READ_VOLUME", "WRITE_VOLUME"], None),
    ):
        given = {"catalog": "dev", "principal": DEPLOYER, "privileges": privileges}
        made = job.databricks.create(GRANT, given)
        record = world.get(f"/metastore/grants/{made.id}")
        assert record is not None
        world.put(replace(record, inputs=given | {"principal": NOBODY}))
        if refused:
            with pytest.raises(refused, match=f"Permission denied: '{place}|no READ VOLUME: {VOLUME}"):
                job.run(NOBODY)
        else:
            job.run(NOBODY)
        job.databricks.delete(GRANT, made.id)
    job.run()


@pytest.mark.usefixtures("role")
@pytest.mark.parametrize(
    ("library", "reason"),
    [
        ({"requirements": f"{VOLUME}/none/requirements.txt"}, "FileNotFoundException"),
        ({"jar": f"{VOLUME}/none/one.jar"}, "FileNotFoundException"),
        (
            {"maven": {"coordinates": "com.microsoft.azure:synapseml_2.12:0.9.3"}},
            "unresolved dependency: .*: not found",
        ),
    ],
    ids=["requirements", "jar", "maven"],
)
def test_a_library_that_does_not_exist_ends_a_run_before_its_task(job: Job, library: Any, reason: str) -> None:
    job.needs(library)
    with pytest.raises(LibraryError, match=f"(?s)^Library installation failed.*{reason}"):
        job.run()


@pytest.mark.usefixtures("role")
def test_pip_asks_no_index(job: Job, lake: Any) -> None:
    lake.upload_blob("files/tool/requirements.txt", b"six>=1.16\ntomlkit==0.13.2\n", overwrite=True)
    with pytest.raises(LibraryError, match="No matching distribution found for tomlkit"):
        job.run()
