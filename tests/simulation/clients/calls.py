"""Constants that these tests share."""

from tests.simulation.world import DEFAULTS

SUBSCRIPTION = DEFAULTS["subscription"]
MANAGER = "https://management.azure.com"
NOBODY = "99999999-9999-4999-8999-999999999999"
