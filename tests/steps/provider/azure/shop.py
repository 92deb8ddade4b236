"""Another team's storage account: the stack doesn't own it, and deployers may read one container of it."""

from typing import Any

from infra.cloud.role_list import Role
from tests.simulation.examples.azure import example
from tests.simulation.examples.names import DEPLOYER, GROUP, SUBSCRIPTION, role
from tests.simulation.fakes.blob import READER
from tests.simulation.fakes.volumes import client_with
from tests.simulation.resource_manager.arm import Arm
from tests.simulation.tokens import STORAGE, issue
from tests.simulation.world import DEFAULTS, World

ACCOUNT, CONTAINER, ASSIGNMENT = (
    f"azure-native:{kind}"
    for kind in ("storage:StorageAccount", "storage:BlobContainer", "authorization:RoleAssignment")
)
OWNER = DEFAULTS["deployers"][1]["object_id"]
"""A principal that the directory knows; for the container it is its owner alone."""
LAKE = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Storage/storageAccounts/shoplake"
EVENTS = f"{LAKE}/blobServices/default/containers/events"
URL = "abfss://events@shoplake.dfs.core.windows.net"


def open_shop(arm: Arm) -> None:
    """Create the account, its container, and the roles of its owner and of a deployer."""
    arm.create(ACCOUNT, example(ACCOUNT) | {"accountName": "shoplake"})
    for name in ("events", "secret"):
        arm.create(CONTAINER, example(CONTAINER) | {"accountName": "shoplake", "containerName": name})
    given = ((DEPLOYER, "User", READER, 1), (OWNER, "ServicePrincipal", Role.BLOB_DATA_CONTRIBUTOR, 2))
    for principal, kind, which, number in given:
        place = {"scope": EVENTS, "roleAssignmentName": f"0f1a9a44-7a53-4b5b-9a5e-6f5d5f0b000{number}"}
        who = {"principalId": principal, "principalType": kind, "roleDefinitionId": role(which)}
        arm.create(ASSIGNMENT, example(ASSIGNMENT) | place | who)


def as_owner(world: World) -> Any:
    """The container, as its owner reads and writes it."""
    return client_with("shoplake", "events", issue(world, OWNER, STORAGE)[0])
