"""A subscription that meets all of a stack's requirements; tests break one at a time."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from personalize.bootstrap.names import StateNames
from personalize.bootstrap.resources import account_path, container_path, key_path, vault_path
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
        """Begin with a subscription that passes."""
        from personalize.checks.subject import Subject  # noqa: PLC0415 - needs Azure's packages
        from tests.support.fake_manager import GRAPH, FakeManager  # noqa: PLC0415 - see above

        self.fake: FakeManager = FakeManager()
        self.owners: dict[str, str] = {}
        self.claims: dict[str, Any] = {"oid": CALLER, "upn": "ada@example.com", "idtyp": "user"}
        self.zones = {"1", "2", "3"}
        """MB, of sizes with less than 150 GiB."""
        self.restrictions: dict[str, list[dict[str, Any]]] = {}
        self.usages = {"standardDDSv5Family": (0, 100), "standardEDSv5Family": (0, 100), "cores": (0, 200)}
        self._answer()
        self._subject = Subject(
            stack="dev",
            settings=azure_stack(),
            manager=self.fake.manager(),
            graph=self.fake.manager(GRAPH),
            claims=lambda scope: self.claims | {"oid": self.owners.get(scope, CALLER)},
            environment={},
        )

    def subject(self, *, environment: dict[str, str] | None = None, **settings: object) -> "Subject":
        """The stack with changed settings."""
        return replace(self._subject, settings=azure_stack(**settings), environment=environment or {})

    def give_roles(self, *roles: str, scope: str = f"/subscriptions/{SUBSCRIPTION}", **properties: str) -> None:
        """Assign exactly these roles to the signed-in identity."""
        definition = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/"
        value = [
            {"properties": {"scope": scope, "roleDefinitionId": definition + role, "principalId": CALLER, **properties}}
            for role in roles
        ]
        self.fake.answer("^GET .*/roleAssignments$", {"value": value})

    def _answer(self) -> None:
        fake = self.fake
        shown = {"subscriptionId": SUBSCRIPTION, "displayName": "Test", "state": "Enabled", "tenantId": TENANT}
        policies = {"quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"}
        fake.answer(rf"^GET /subscriptions/{SUBSCRIPTION}$", shown | {"subscriptionPolicies": policies})
        fake.answer(r"^GET .*/providers/Microsoft\.\w+$", {"registrationState": "Registered"})
        fake.answer("/checkNameAvailability$", {"nameAvailable": True})
        fake.answer("/CheckDnsNameAvailability$", {"available": True})
        fake.answer("/Microsoft.Compute/skus$", lambda _: {"value": [self.sku(name) for name in OFFERED]})
        fake.answer("/usages$", lambda _: {"value": [self._usage(name) for name in self.usages]})
        offered = [{"version": version, "isPreview": None} for version in ("1.34", "1.35", "1.36")]
        fake.answer("/kubernetesVersions$", {"values": offered})
        self.give_roles("b24988ac-6180-42a0-ab88-20f7382dd24c", "f58310d9-a9f6-439a-9e8d-f62e7b41a168")
        names = StateNames(subscription=SUBSCRIPTION, stack="dev")
        for path in (account_path(names), container_path(names), vault_path(names), key_path(names)):
            fake.resources[path.lower()] = {}

    def sku(self, name: str) -> dict[str, Any]:
        """How Azure lists a VM size."""
        family, cores = OFFERED[name]
        return {
            "resourceType": "virtualMachines",
            "name": name,
            "family": family,
            "locationInfo": [{"location": "westeurope", "zones": sorted(self.zones)}],
            "capabilities": [
                {"name": "vCPUs", "value": str(cores)},
            ],
            "restrictions": self.restrictions.get(name, []),
        }

    def _usage(self, name: str) -> dict[str, Any]:
        current, limit = self.usages[name]
        return {"name": {"value": name, "localizedValue": name}, "currentValue": current, "limit": limit}


@pytest.fixture
def world() -> World:
    """A subscription that lacks nothing."""
    return World()


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the state of stacks in a temporary folder."""
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path / "state"))
