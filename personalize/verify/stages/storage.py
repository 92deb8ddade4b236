"""The storage accounts, Azure ML's workspace, and the data in the lake."""

from typing import TYPE_CHECKING

from azure_clients import credentials
from personalize.checks.subscription.free_names import STORAGE_VERSION
from personalize.verify.bench import ACCESS_VERSION, Bench
from personalize.verify.stage import Seen, Stage, StageFailedError
from steps.azure.data_upload import COMPLETE
from steps.shared.volumes import Volume

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties

STORAGE = "Microsoft.Storage/storageAccounts"
MACHINE_LEARNING = "Microsoft.MachineLearningServices/workspaces"
WORKSPACE_VERSION = "2025-06-01"


def _data_is_there(bench: Bench) -> str:
    found = [blob for blob in _listed(bench) if blob.name.rpartition("/")[2] == COMPLETE]
    if not found:
        raise StageFailedError(
            f"No dataset in the lake's container {Volume.RAW.container} ends with {COMPLETE}: the upload is incomplete."
        )
    return f"{len(found)} complete dataset(s) in the lake."


def lake(bench: Bench) -> str:
    """The Resource Manager's path of the lake's account."""
    return bench.subject.training(STORAGE, bench.names.lake)


def _hierarchical(bench: Bench) -> Seen:
    found = bench.resource(lake(bench), STORAGE_VERSION)
    answer = f"isHnsEnabled {found.get('isHnsEnabled')}, allowSharedKeyAccess {found.get('allowSharedKeyAccess')}"
    return Seen(holds=found.get("isHnsEnabled") is True and found.get("allowSharedKeyAccess") is False, answer=answer)


def _lifecycle(bench: Bench) -> Seen:
    found = bench.resource(f"{lake(bench)}/managementPolicies/default", STORAGE_VERSION)
    rules = (found.get("policy") or {}).get("rules") or []
    return Seen(holds=bool(rules), answer=f"the policy `default` has {len(rules)} rule(s)")


def _blobs(bench: Bench) -> Seen:
    found = _listed(bench)
    folders = [blob for blob in found if (blob.metadata or {}).get("hdi_isfolder") == "true"]
    answer = f"{len(found)} entries by the Blob endpoint, {len(folders)} of them folders with hdi_isfolder"
    return Seen(holds=bool(folders) and len(found) > len(folders), answer=answer)


def _listed(bench: Bench) -> "list[BlobProperties]":
    account = bench.resource(lake(bench), STORAGE_VERSION)
    endpoint = str(account["primaryEndpoints"]["blob"])
    container = credentials.container(bench.settings.tenant, endpoint, Volume.RAW.container)
    return list(container.list_blobs(include=["metadata"]))


def _keyless(bench: Bench) -> Seen:
    found = bench.resource(bench.subject.training(MACHINE_LEARNING, bench.names.machine_learning), WORKSPACE_VERSION)
    mode = str(found.get("systemDatastoresAuthMode"))
    return Seen(holds=mode.lower() == "identity", answer=f"systemDatastoresAuthMode {mode}")


def _own_roles(bench: Bench) -> Seen:
    """Whether Azure itself assigned the roles of the workspace's identity, which the stack does not assign."""
    workspace = bench.subject.training(MACHINE_LEARNING, bench.names.machine_learning)
    principal = ((bench.manager.get(workspace, WORKSPACE_VERSION) or {}).get("identity") or {}).get("principalId")
    scope = bench.subject.training(STORAGE, bench.names.workspace_storage)
    assignments = bench.manager.list(f"{scope}/providers/Microsoft.Authorization/roleAssignments", ACCESS_VERSION)
    own = [one for one in assignments if one["properties"].get("principalId") == principal]
    return Seen(holds=bool(own), answer=f"{len(own)} role(s) of the workspace's identity on its storage")


DATA = Stage(
    name="data",
    title="the lake, and the data in it",
    minutes="1",
    act=_data_is_there,
    looks={
        "lake-without-keys": _hierarchical,
        "lifecycle-name": _lifecycle,
        "blob-endpoint-of-a-lake": _blobs,
        "keyless-workspace-store": _keyless,
        "workspace-gives-itself-roles": _own_roles,
    },
)
