"""What the calls of these tests share."""

from tests.simulation.azure_native import AzureNative
from tests.simulation.inputs.names import DEPLOYER
from tests.simulation.tokens import issue
from tests.simulation.world import DEFAULTS

SUBSCRIPTION = DEFAULTS["subscription"]
MANAGER = "https://management.azure.com"
STRANGER = "example.com:443"
NOBODY = "99999999-9999-4999-8999-999999999999"


def header(cloud: AzureNative, scope: str, caller: str = DEPLOYER) -> dict[str, str]:
    """An Authorization header."""
    return {"Authorization": f"Bearer {issue(cloud.world, caller, scope)[0]}"}
