"""Libraries of the training job that are gone from the lake, as if somebody had deleted them."""

from typing import Any

from azure_clients import credentials
from personalize.stack.data_guard import ACCOUNT
from steps.shared.job_libraries import REQUIREMENTS
from steps.shared.volumes import Volume
from tests.simulation.examples.shop import LAKE
from tests.simulation.scenarios.stack import SimulatedStack
from tests.simulation.world import DEFAULTS


def lose_libraries(stack: SimulatedStack) -> None:
    """Delete the job's requirements from the lake."""
    lake = container_of(stack, Volume.LIBRARIES)
    for blob in lake.list_blobs(name_starts_with=f"{Volume.LIBRARIES.folder}/"):
        if blob.name.endswith(REQUIREMENTS):
            lake.delete_blob(blob.name)


def container_of(stack: SimulatedStack, volume: Volume) -> Any:
    """The container of the lake with a volume's files, for the deployer."""
    account = next(item for item in stack.world.all(ACCOUNT) if item.inputs.get("isHnsEnabled") and item.id != LAKE)
    endpoint = f"https://{account.inputs['accountName']}.blob.core.windows.net/"
    return credentials.container(DEFAULTS["tenant"], endpoint, volume.container)
