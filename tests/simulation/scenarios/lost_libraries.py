"""Libraries of the training job that are gone from the lake, as if somebody had deleted them."""

from dataclasses import dataclass, field
from typing import Any

from azure_clients import credentials
from personalize.stack.data_guard import ACCOUNT
from steps.shared.job_libraries import REQUIREMENTS
from steps.shared.volumes import Volume
from tests.simulation.examples.shop import LAKE
from tests.simulation.scenarios.stack import SimulatedStack
from tests.simulation.world import DEFAULTS


@dataclass
class LostLibraries:
    """Somebody deletes the job's requirements from the lake, and brings them back."""

    kept: dict[str, bytes] = field(default_factory=dict)

    def lose(self, stack: SimulatedStack) -> None:
        """Delete them."""
        lake = container_of(stack, Volume.LIBRARIES)
        names = [blob.name for blob in lake.list_blobs(name_starts_with=f"{Volume.LIBRARIES.folder}/")]
        self.kept = {name: lake.download_blob(name).readall() for name in names if name.endswith(REQUIREMENTS)}
        for name in self.kept:
            lake.delete_blob(name)

    def bring(self, stack: SimulatedStack) -> None:
        """Upload them again."""
        for name, content in self.kept.items():
            container_of(stack, Volume.LIBRARIES).upload_blob(name, content)


def container_of(stack: SimulatedStack, volume: Volume) -> Any:
    """The container of the lake with a volume's files, for the deployer."""
    account = next(item for item in stack.world.all(ACCOUNT) if item.inputs.get("isHnsEnabled") and item.id != LAKE)
    endpoint = f"https://{account.inputs['accountName']}.blob.core.windows.net/"
    return credentials.container(DEFAULTS["tenant"], endpoint, volume.container)
