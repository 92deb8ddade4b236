"""The rules of the simulated Databricks: each refuses an example with one fault, and accepts it without."""

from typing import Any

import pytest

from tests.simulation.databricks.cloud import Databricks
from tests.simulation.databricks.provider import TYPES
from tests.simulation.examples.azure import example
from tests.simulation.examples.changes import REMOVED, changed
from tests.simulation.examples.databricks import APPLICATION, CONNECTOR, EXAMPLES, WORK
from tests.simulation.examples.lakehouse import create_before, of
from tests.simulation.examples.names import LAKE, role
from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.services import databricks as workspaces
from tests.simulation.services.jobs import JOB, POLICY
from tests.simulation.services.privileges import GRANT, PERMISSIONS
from tests.simulation.services.unity import CATALOG, CREDENTIAL, LOCATION, MEMBER, SCHEMA, VOLUME

CLUSTER = "jobClusters.0.newCluster"
# Type, path of the field, its wrong value, and Databricks' error code.
REFUSED: list[tuple[str, str, Any, str]] = [
    (PERMISSIONS, "jobId", "9", "RESOURCE_DOES_NOT_EXIST"),
    (PERMISSIONS, "clusterPolicyId", "1001", "INVALID_PARAMETER_VALUE"),
    (PERMISSIONS, "accessControls.0.permissionLevel", "CAN_USE", "INVALID_PARAMETER_VALUE"),
    (PERMISSIONS, "accessControls.0.userName", "nobody@example.com", "PRINCIPAL_DOES_NOT_EXIST"),
    (JOB, "bogus", 1, "INVALID_PARAMETER_VALUE"),
    (JOB, "tasks.0.timeoutSeconds", "7200", "INVALID_PARAMETER_VALUE"),
    (JOB, "tasks.0.libraries.0.jarr", "x", "INVALID_PARAMETER_VALUE"),
    (JOB, "tasks.0.taskKey", REMOVED, "INVALID_PARAMETER_VALUE"),
    (JOB, "tasks", [], "INVALID_PARAMETER_VALUE"),
    (JOB, "tasks.0.jobClusterKey", "other", "INVALID_PARAMETER_VALUE"),
    (JOB, "tasks.0.pythonWheelTask", REMOVED, "INVALID_PARAMETER_VALUE"),
    (JOB, "tasks.0.libraries.2.maven.coordinates", "synapseml", "INVALID_PARAMETER_VALUE"),
    (JOB, f"{CLUSTER}.dataSecurityMode", "USER_ISOLATION", "INVALID_PARAMETER_VALUE"),
    (JOB, f"{CLUSTER}.sparkVersion", "15.4", "INVALID_PARAMETER_VALUE"),
    (JOB, f"{CLUSTER}.sparkVersion", "15.9.x-scala2.12", "INVALID_PARAMETER_VALUE"),
    (JOB, f"{CLUSTER}.nodeTypeId", "Standard_Z9", "INVALID_PARAMETER_VALUE"),
    (JOB, f"{CLUSTER}.nodeTypeId", "Standard_D4ds_v5", "INVALID_PARAMETER_VALUE"),
    (JOB, f"{CLUSTER}.numWorkers", REMOVED, "INVALID_PARAMETER_VALUE"),
    (JOB, f"{CLUSTER}.numWorkers", 13, "INVALID_PARAMETER_VALUE"),
    (JOB, f"{CLUSTER}.numWorkers", 0, "INVALID_PARAMETER_VALUE"),
    (JOB, f"{CLUSTER}.autoscale", {"minWorkers": 1, "maxWorkers": 2}, "INVALID_PARAMETER_VALUE"),
    (JOB, f"{CLUSTER}.sparkConf", {"spark.task.maxFailures": "4"}, "INVALID_PARAMETER_VALUE"),
    (JOB, f"{CLUSTER}.policyId", "9", "RESOURCE_DOES_NOT_EXIST"),
    (POLICY, "definition", "{", "INVALID_PARAMETER_VALUE"),
    (POLICY, "definition", '{"node_type_id": {"type": "always"}}', "INVALID_PARAMETER_VALUE"),
    (CREDENTIAL, "azureManagedIdentity", REMOVED, "INVALID_PARAMETER_VALUE"),
    (CREDENTIAL, "azureManagedIdentity.accessConnectorId", f"{CONNECTOR}x", "INVALID_PARAMETER_VALUE"),
    (LOCATION, "url", "wasbs://raw@lakeabc.blob.core.windows.net/", "INVALID_PARAMETER_VALUE"),
    (LOCATION, "credentialName", "nothing", "STORAGE_CREDENTIAL_DOES_NOT_EXIST"),
    (LOCATION, "skipValidation", False, "PERMISSION_DENIED"),
    (GRANT, "externalLocation", "nowhere", "EXTERNAL_LOCATION_DOES_NOT_EXIST"),
    (GRANT, "privileges", ["SELECT"], "INVALID_PARAMETER_VALUE"),
    (GRANT, "principal", "nobody@example.com", "PRINCIPAL_DOES_NOT_EXIST"),
    (GRANT, "storageCredential", "lake-dev", "INVALID_PARAMETER_VALUE"),
    (CATALOG, "storageRoot", "abfss://raw2@lakeabc.dfs.core.windows.net/catalog", "PERMISSION_DENIED"),
    (SCHEMA, "catalogName", "other", "CATALOG_DOES_NOT_EXIST"),
    (VOLUME, "schemaName", "other", "SCHEMA_DOES_NOT_EXIST"),
    (VOLUME, "storageLocation", f"{WORK}/catalog/files", "LOCATION_OVERLAP"),
    (VOLUME, "storageLocation", WORK, "LOCATION_OVERLAP"),
    (VOLUME, "storageLocation", f"{WORK}/", "LOCATION_OVERLAP"),
    (VOLUME, "volumeType", "MANAGED", "INVALID_PARAMETER_VALUE"),
]


def test_every_known_type_of_databricks_has_an_example() -> None:
    assert {kind for kind, _ in EXAMPLES} == set(TYPES)


@pytest.mark.parametrize(("kind", "path", "value", "code"), REFUSED, ids=lambda part: str(part)[-40:])
def test_databricks_refuses_an_example_with_a_fault_and_accepts_it_without(
    lakehouse: Databricks, kind: str, path: str, value: Any, code: str
) -> None:
    create_before(lakehouse, kind)
    with pytest.raises(RefusedError) as refused:
        lakehouse.create(kind, changed(of(kind), path, value))
    assert refused.value.code == code
    lakehouse.create(kind, of(kind))


def test_objects_of_databricks_are_created_changed_read_and_deleted(lakehouse: Databricks) -> None:
    create_before(lakehouse, None)
    job = next(record for record in lakehouse.world.all(JOB))
    identity = job.id.rpartition("/")[2]
    wanted = changed(of(JOB), f"{CLUSTER}.numWorkers", 4)
    assert lakehouse.diff(JOB, of(JOB), wanted).changed == {"jobClusters"}
    lakehouse.update(JOB, identity, wanted)
    seen = lakehouse.read(JOB, identity)
    assert seen is not None
    assert (seen.id, seen.inputs) == (identity, wanted)
    lakehouse.delete(JOB, identity)
    assert lakehouse.read(JOB, identity) is None


def test_single_node_needs_its_profile_and_its_tag(lakehouse: Databricks) -> None:
    create_before(lakehouse, JOB)
    single = changed(of(JOB), f"{CLUSTER}.numWorkers", 0)
    single = changed(
        single,
        f"{CLUSTER}.sparkConf",
        {"spark.databricks.cluster.profile": "singleNode", "spark.task.maxFailures": "1"},
    )
    single = changed(single, f"{CLUSTER}.customTags", {"ResourceClass": "SingleNode"})
    lakehouse.create(JOB, single)


def test_a_policy_in_use_is_not_deleted(lakehouse: Databricks) -> None:
    create_before(lakehouse, None)
    with pytest.raises(RefusedError, match="in use"):
        lakehouse.delete(POLICY, "1001")


def test_a_credential_in_use_is_deleted_only_by_force(lakehouse: Databricks) -> None:
    create_before(lakehouse, None)
    with pytest.raises(RefusedError, match="forceDestroy"):
        lakehouse.delete(CREDENTIAL, "lake-dev")
    lakehouse.update(CREDENTIAL, "lake-dev", of(CREDENTIAL) | {"forceDestroy": True})
    lakehouse.delete(CREDENTIAL, "lake-dev")
    assert lakehouse.read(CREDENTIAL, "lake-dev") is None


def test_a_service_principal_is_granted_nothing_before_it_is_a_member(lakehouse: Databricks) -> None:
    create_before(lakehouse, MEMBER)
    grant = of(GRANT) | {"principal": APPLICATION}
    with pytest.raises(RefusedError, match="Could not find principal"):
        lakehouse.create(GRANT, grant)
    lakehouse.create(MEMBER, of(MEMBER))
    lakehouse.create(GRANT, grant)


def test_two_locations_do_not_overlap(lakehouse: Databricks) -> None:
    create_before(lakehouse, None)
    inner = of(LOCATION) | {"name": "inner", "url": "abfss://raw@lakeabc.dfs.core.windows.net/part/"}
    with pytest.raises(RefusedError, match="LOCATION_OVERLAP"):
        lakehouse.create(LOCATION, inner)


def test_two_volumes_do_not_overlap(lakehouse: Databricks) -> None:
    create_before(lakehouse, None)
    for inner in ("files/part", "files/"):
        other = of(VOLUME) | {"name": "other", "storageLocation": f"{WORK}/{inner}"}
        with pytest.raises(RefusedError, match="LOCATION_OVERLAP"):
            lakehouse.create(VOLUME, other)
    lakehouse.create(VOLUME, of(VOLUME) | {"name": "other", "storageLocation": f"{WORK}/files2"})


def test_a_location_is_validated_by_the_connectors_role(lakehouse: Databricks, arm: AzureNative) -> None:
    create_before(lakehouse, LOCATION)
    connector = arm.world.get(CONNECTOR)
    assert connector is not None
    kind = "azure-native:authorization:RoleAssignment"
    assignment = example(kind) | {
        "roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0009",
        "scope": LAKE,
        "principalId": connector.outputs["identity"]["principalId"],
        "principalType": "ServicePrincipal",
        "roleDefinitionId": role("ba92f5b4-2d11-453d-a403-e96b0029c9fe"),
    }
    arm.create(kind, assignment)
    lakehouse.create(LOCATION, of(LOCATION) | {"skipValidation": False})


def test_a_caller_that_never_signed_in_is_refused(lakehouse: Databricks) -> None:
    lakehouse.world.set("members", {})
    with pytest.raises(RefusedError, match="not a member"):
        lakehouse.create(*EXAMPLES[0])


def test_without_a_metastore_there_is_no_catalog_but_there_are_jobs(lakehouse: Databricks) -> None:
    lakehouse.world.set("metastore", value=False)
    with pytest.raises(RefusedError, match="METASTORE_DOES_NOT_EXIST"):
        lakehouse.create(*EXAMPLES[0])
    lakehouse.create(POLICY, of(POLICY))


def test_no_workspace_answers_at_an_unknown_host(lakehouse: Databricks) -> None:
    lakehouse.configure({"host": "https://adb-1.2.azuredatabricks.net"})
    with pytest.raises(RefusedError, match="no workspace answers"):
        lakehouse.create(*EXAMPLES[0])


def test_a_deleted_workspace_takes_its_objects_but_not_the_metastores(lakehouse: Databricks, arm: AzureNative) -> None:
    create_before(lakehouse, None)
    arm.delete(workspaces.TYPE, arm.world.all(workspaces.TYPE)[0].id)
    assert (arm.world.all(JOB), arm.world.all(POLICY)) == ([], [])
    assert len(arm.world.all(LOCATION)) == 2
    assert lakehouse.read(JOB, "1002") is None
