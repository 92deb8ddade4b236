"""The groups, the stores, the registry of models, and the data in the lake; no cluster of any kind yet."""

from infra.cloud import credentials
from infra.cloud.storage import RAW
from infra.preflight.free_names import STORAGE_VERSION
from infra.verify.bench import ACCESS_VERSION, Bench
from infra.verify.stage import Seen, Stage

CLUSTER = "azure-native:containerservice:ManagedCluster"
DATABRICKS = "azure-native:databricks:Workspace"
STORAGE = "Microsoft.Storage/storageAccounts"
MACHINE_LEARNING = "Microsoft.MachineLearningServices/workspaces"
WORKSPACE_VERSION = "2025-06-01"
ROLE_MINUTES = 10


def _bring_up(bench: Bench) -> str:
    outcome = bench.up(without=(CLUSTER, DATABRICKS))
    return f"{outcome.changes.get('create', 0)} resources made; the data is in the lake."


def _lake(bench: Bench) -> str:
    return bench.subject.training(STORAGE, bench.names.lake)


def _hierarchical(bench: Bench) -> Seen:
    found = bench.resource(_lake(bench), STORAGE_VERSION)
    answer = f"isHnsEnabled {found.get('isHnsEnabled')}, allowSharedKeyAccess {found.get('allowSharedKeyAccess')}"
    return Seen(holds=found.get("isHnsEnabled") is True and found.get("allowSharedKeyAccess") is False, answer=answer)


def _lifecycle(bench: Bench) -> Seen:
    found = bench.resource(f"{_lake(bench)}/managementPolicies/default", STORAGE_VERSION)
    rules = (found.get("policy") or {}).get("rules") or []
    return Seen(holds=bool(rules), answer=f"the policy `default` has {len(rules)} rule(s)")


def _blobs(bench: Bench) -> Seen:
    account = bench.resource(_lake(bench), STORAGE_VERSION)
    endpoint = str(account["primaryEndpoints"]["blob"])
    container = credentials.container(bench.settings.tenant, endpoint, RAW)
    found = [blob for blob in container.list_blobs(include=["metadata"]) if blob.name]
    folders = [blob for blob in found if (blob.metadata or {}).get("hdi_isfolder") == "true"]
    answer = f"{len(found)} entries by the Blob endpoint, {len(folders)} of them folders with hdi_isfolder"
    return Seen(holds=bool(folders) and len(found) > len(folders), answer=answer)


def _keyless(bench: Bench) -> Seen:
    found = bench.resource(bench.subject.training(MACHINE_LEARNING, bench.names.machine_learning), WORKSPACE_VERSION)
    mode = str(found.get("systemDatastoresAuthMode"))
    return Seen(holds=mode.lower() == "identity", answer=f"systemDatastoresAuthMode {mode}")


def _own_roles(bench: Bench) -> Seen:
    """Whether Azure itself gave the workspace's identity its roles, which the stack therefore does not give."""
    workspace = bench.subject.training(MACHINE_LEARNING, bench.names.machine_learning)
    principal = ((bench.manager.get(workspace, WORKSPACE_VERSION) or {}).get("identity") or {}).get("principalId")
    scope = bench.subject.training(STORAGE, bench.names.workspace_storage)
    assignments = bench.manager.list(f"{scope}/providers/Microsoft.Authorization/roleAssignments", ACCESS_VERSION)
    own = [one for one in assignments if one["properties"].get("principalId") == principal]
    return Seen(holds=bool(own), answer=f"{len(own)} role(s) of the workspace's identity on its storage")


def _roles_in_time(bench: Bench) -> Seen:
    waits = {what: seconds for what, seconds in bench.waits.items() if "lake" in what or "model" in what}
    longest = max(waits.values(), default=0.0)
    return Seen(holds=longest <= ROLE_MINUTES * 60, answer=f"a new role was waited for {longest:.0f} s at most")


DATA = Stage(
    name="data",
    title="groups, storage, registries, and the data in the lake",
    minutes="5 to 15",
    act=_bring_up,
    looks={
        "lake-without-keys": _hierarchical,
        "lifecycle-name": _lifecycle,
        "blob-endpoint-of-a-lake": _blobs,
        "keyless-workspace-store": _keyless,
        "workspace-gives-itself-roles": _own_roles,
        "roles-count-in-time": _roles_in_time,
    },
)
