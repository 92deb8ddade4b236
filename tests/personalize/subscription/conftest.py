"""A subscription that meets all of a stack's requirements; tests break one at a time."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from personalize.bootstrap.names import StateNames
from tests.support.azure_files import pytest_pycollect_makemodule  # noqa: F401 - a hook
from tests.support.azure_stack import REQUIRED, SUBSCRIPTION, azure_stack

if TYPE_CHECKING:
    from personalize.checks.subject import Subject

TENANT: str = REQUIRED["tenant"]
CALLER: str = REQUIRED["deployers"][0]["object_id"]
GROUP = "66666666-6666-4666-8666-666666666666"
OFFERED = {
    "Standard_D2ds_v5": ("standardDDSv5Family", 2),
    "Standard_D4ds_v5": ("standardDDSv5Family", 4),
    "Standard_E4ds_v5": ("standardEDSv5Family", 4),
    "Standard_E8ds_v5": ("standardEDSv5Family", 8),
    "Standard_E4ads_v5": ("standardEADSv5Family", 4),
}


class World:
    """The subscription's answers, and the stack that is examined."""

    def __init__(self) -> None:
        from personalize.checks.subject import Subject  # noqa: PLC0415 - needs Azure's packages
        from tests.support.fake_manager import GRAPH, FakeManager  # noqa: PLC0415 - see above

        self.fake: FakeManager = FakeManager()
        self.claims: dict[str, Any] = {"oid": CALLER, "upn": "ada@example.com", "idtyp": "user"}
        self.zones = {"1", "2", "3"}
        self.restrictions: dict[str, list[dict[str, Any]]] = {}
        self.usages = {"standardDDSv5Family": (0, 100), "standardEDSv5Family": (0, 100), "cores": (0, 200)}
        self._answer()
        self._subject = Subject(
            stack="dev",
            settings=azure_stack(),
            manager=self.fake.manager(),
            graph=self.fake.manager(GRAPH),
            claims=lambda: self.claims,
            environment={},
        )

    def subject(self, *, environment: dict[str, str] | None = None, **settings: object) -> "Subject":
        """The stack with changed settings."""
        return replace(self._subject, settings=azure_stack(**settings), environment=environment or {})

    def _answer(self) -> None:
        fake = self.fake
        shown = {"subscriptionId": SUBSCRIPTION, "displayName": "Test", "state": "Enabled", "tenantId": TENANT}
        fake.answer(rf"^GET /subscriptions/{SUBSCRIPTION}$", shown)
        fake.answer("/Microsoft.Compute/skus$", lambda _: {"value": [self.sku(name) for name in OFFERED]})
        fake.answer("/usages$", lambda _: {"value": [self._usage(name) for name in self.usages]})
        offered = [{"version": version, "isPreview": None} for version in ("1.34", "1.35", "1.36")]
        fake.answer("/kubernetesVersions$", {"values": offered})
        fake.resources[StateNames(subscription=SUBSCRIPTION, stack="dev").container_path.lower()] = {}

    def sku(self, name: str) -> dict[str, Any]:
        """How Azure lists a VM size."""
        family, cores = OFFERED[name]
        return {
            "resourceType": "virtualMachines",
            "name": name,
            "family": family,
            "locationInfo": [{"location": "swedencentral", "zones": sorted(self.zones)}],
            "capabilities": [{"name": "vCPUs", "value": str(cores)}],
            "restrictions": self.restrictions.get(name, []),
        }

    def _usage(self, name: str) -> dict[str, Any]:
        current, limit = self.usages[name]
        return {"name": {"value": name, "localizedValue": name}, "currentValue": current, "limit": limit}


@pytest.fixture
def world() -> World:
    """A subscription that lacks nothing."""
    return World()
