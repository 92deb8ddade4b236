"""Another team's storage account: the stack doesn't own it, and deployers may read one container of it."""

import uuid
from typing import Any

from infra.cloud.role_list import Role
from tests.simulation.examples.azure import example
from tests.simulation.examples.names import DEPLOYER, GROUP, SUBSCRIPTION, role
from tests.simulation.fakes.blob import READER
from tests.simulation.fakes.volumes import client_with
from tests.simulation.resource_manager.arm import Arm
from tests.simulation.tokens import STORAGE, issue
from tests.simulation.world import DEFAULTS, World
from tools.paths import ROOT

ACCOUNT = "azure-native:storage:StorageAccount"
CONTAINER = "azure-native:storage:BlobContainer"
ASSIGNMENT = "azure-native:authorization:RoleAssignment"
OWNER = DEFAULTS["deployers"][1]["object_id"]
"""A principal that the directory knows; for the container it is its owner alone."""
LAKE = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Storage/storageAccounts/shoplake"
EVENTS = f"{LAKE}/blobServices/default/containers/events"
URL = "abfss://events@shoplake.dfs.core.windows.net"
TABLES = ROOT / "examples" / "tables"


def open_shop(arm: Arm) -> None:
    """Create the account, its container, and the roles of its owner and of a deployer."""
    arm.create(ACCOUNT, example(ACCOUNT) | {"accountName": "shoplake"})
    for name in ("events", "secret"):
        arm.create(CONTAINER, example(CONTAINER) | {"accountName": "shoplake", "containerName": name})
    _give(arm, READER, DEPLOYER, "User")
    _give(arm, Role.BLOB_DATA_CONTRIBUTOR, OWNER, "ServicePrincipal")


def _give(arm: Arm, which: str, principal: str, kind: str) -> None:
    place = {"scope": EVENTS, "roleAssignmentName": str(uuid.uuid4())}
    who = {"principalId": principal, "principalType": kind, "roleDefinitionId": role(which)}
    arm.create(ASSIGNMENT, example(ASSIGNMENT) | place | who)


def as_owner(world: World) -> Any:
    """The container, as its owner reads and writes it."""
    return client_with("shoplake", "events", issue(world, OWNER, STORAGE)[0])


def config_in_place() -> str:
    """The dataset config of the README's tables, which lie in the container's folder `shop`."""
    text = (TABLES / "dataset.yaml").read_text(encoding="utf-8")
    for table in ("interactions", "users", "items"):
        text = text.replace(f": {table}.csv", f": {URL}/shop/{table}.csv")
    return text
