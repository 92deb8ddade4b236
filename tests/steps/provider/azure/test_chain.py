"""The steps in sequence with the project's own wheel: data, a real model, its version, its image."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from azure_clients.credentials import container
from azure_clients.retries import Timeout
from features.bundle import checked_hash
from steps.azure.champion import Champion
from steps.azure.data_upload import DataUpload
from steps.azure.libraries import Libraries
from steps.azure.model_version import ModelVersion
from steps.azure.training_run import TrainingRun
from steps.shared.job_libraries import JobLibraries, job_libraries
from steps.shared.volumes import Volume
from tests.simulation.databricks.cloud import Databricks
from tests.simulation.databricks.provider import TYPES
from tests.simulation.examples.azure import example
from tests.simulation.examples.changes import changed
from tests.simulation.examples.lakehouse import create_volumes
from tests.simulation.fakes.cluster import LocalCluster, spark_environment
from tests.simulation.runtime.environment import runtime
from tests.simulation.services.jobs import JOB
from tests.steps.provider.azure.conftest import AZURE, BLOB, MACHINE_LEARNING, TENANT, Cloud
from tests.steps.provider.conftest import STACK, Recorder
from tests.steps.provider.steps import create
from tools import azurite
from training.parameters import Fit, GateParameters, TrainingParameters

pytestmark = [
    pytest.mark.spark,
    pytest.mark.full,
    pytest.mark.skipif(azurite.command() is None, reason="needs `python -m tools.azurite`"),
]
VOLUMES = "/Volumes/dev/training"
CLUSTER = "jobClusters.0.newCluster"
TIMEOUT = Timeout(seconds=30, pause=0.5)
DATASET = {"kind": "synthetic", "rows": 3000, "seed": 1}
ROLE = "azure-native:authorization:RoleAssignment"


@pytest.fixture
def cluster(cloud: Cloud) -> Iterator[Cloud]:
    """The cloud with a job that runs this code's wheel on local Spark, with the permissions that the stack grants."""
    world = cloud.world
    connector = next(item for item in world.all() if item.id.endswith("/lake-access"))
    principal = {"principalId": connector.outputs["identity"]["principalId"], "principalType": "ServicePrincipal"}
    cloud.arm.create(ROLE, example(ROLE) | principal | {"roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0061"})
    databricks = Databricks(world, TYPES)
    databricks.configure({"host": f"https://{cloud.workspace['workspace_host']}"})
    create_volumes(databricks)
    job = world.all(JOB)[0]
    task = {
        "packageName": "personalization",
        "entryPoint": "train",
        "parameters": ["{{job.parameters.request}}"],
    }
    inputs = changed(changed(job.inputs, "tasks.0.pythonWheelTask", task), f"{CLUSTER}.numWorkers", 0)
    wanted = job_libraries(VOLUMES, Fit.NATIVE)
    inputs = changed(inputs, "tasks.0.libraries", [{"requirements": wanted.requirements_path}])
    world.put(replace(job, inputs=inputs))
    cloud.task.work = LocalCluster(world, runtime(), spark_environment(memory_gib=1))
    yield cloud
    world.put(job)


def training_inputs(cloud: Cloud, location: str) -> dict[str, Any]:
    return {
        **MACHINE_LEARNING,
        "registry": "ctr",
        "blob_endpoint": BLOB,
        "databricks_url": f"https://{cloud.workspace['workspace_host']}",
        "databricks_workspace_id": cloud.workspace["workspace_id"],
        "job_id": cloud.world.all(JOB)[0].id.rpartition("/")[2],
        "dataset": DATASET,
        "location": location,
        "volumes": VOLUMES,
        "manifest_hash": "e" * 64,
        "parameters": TrainingParameters(num_iterations=20, driver_memory_gib=1).model_dump(mode="json"),
        "gate": GateParameters(min_auc=0.5).model_dump(mode="json"),
        "code_hash": "b" * 64,
        "libraries": {"lightgbm": "1"},
    }


def sent_packages(libraries: JobLibraries) -> list[str]:
    """The names of the wheels and jars in the lake; a run installs them and asks no index."""
    lake = container(TENANT, BLOB, Volume.LIBRARIES.container)
    folder = f"{Volume.LIBRARIES.folder}/{libraries.packages}/"
    return [blob.name.removeprefix(folder) for blob in lake.list_blobs(name_starts_with=folder)]


def test_the_job_trains_in_the_lake_and_again_beside_its_champion(
    cluster: Cloud, tmp_path: Path, recorder: Recorder
) -> None:
    def folder_of(stack: str) -> Path:
        return tmp_path / stack

    libraries = job_libraries(VOLUMES, Fit.NATIVE)
    upload = {**AZURE, "registry": "ctr", "blob_endpoint": BLOB, "volumes": VOLUMES}
    needed = {"fit": "native", "wheel": libraries.wheel.hash, "packages": libraries.packages}
    create(Libraries(folder_of, TIMEOUT), upload | needed, recorder)
    names = sent_packages(libraries)
    assert any(name.startswith("lightgbm-") for name in names)
    assert not [name for name in names if "synapseml" in name], "so both runs do without"
    given = upload | {"dataset": DATASET, "manifest_hash": "e" * 64}
    data = create(DataUpload(folder_of, TIMEOUT), given, recorder).outputs
    inputs = training_inputs(cluster, data.location)
    trained = create(TrainingRun(folder_of, TIMEOUT), inputs, recorder).outputs
    assert checked_hash(tmp_path / STACK / trained.bundle) == trained.bundle_hash
    assert trained.metrics["auc"] > 0.5
    candidate = {
        **MACHINE_LEARNING,
        "registry": "ctr",
        "blob_endpoint": BLOB,
        **trained.model_dump(include={"bundle", "bundle_hash", "bundle_url", "run_url"}),
        "data_url": data.location,
        "requested": "latest",
    }
    version = create(ModelVersion(folder_of, TIMEOUT), candidate, recorder).outputs
    assert version.served_hash == trained.bundle_hash
    assert version.metrics == {name: value for name, value in trained.metrics.items() if name not in {"slices", "keys"}}
    served = {**MACHINE_LEARNING, "blob_endpoint": BLOB, "version": 1, "refusal": ""}
    create(Champion(folder_of, TIMEOUT), served, recorder)
    second = create(TrainingRun(folder_of, TIMEOUT), inputs | {"code_hash": "c" * 64}, recorder).outputs
    assert checked_hash(tmp_path / STACK / second.bundle) == second.bundle_hash
    assert second.run_url != trained.run_url
    assert second.metrics["auc"] == trained.metrics["auc"]
    assert second.verdict["accepted"], "it is as good as the champion"
