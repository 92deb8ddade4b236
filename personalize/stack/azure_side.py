"""What a stack on Azure needs around the engine's operations. For a stack on this machine nothing is done."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from azure_clients.credentials import databricks_sign_in, resource_manager
from features.files import write_whole
from infra.azure_settings import AzureSettings
from infra.settings import load_settings
from personalize.errors import StackPausedError
from personalize.stack.cluster import Power, power_of
from personalize.stack.databricks_access import join
from personalize.stack.guards import (
    CLUSTER,
    refuse_to_change_network,
    refuse_to_change_system_nodes,
    refuse_to_move_storage,
)
from personalize.stack.refusals import advice
from personalize.stack.stack_files import StackFiles

SUFFIX = re.compile(r"^(\s+suffix:\s*['\"]?)([a-z0-9]+)(['\"]?\s*(?:#.*)?)$", re.MULTILINE)
LAST = "z"


@dataclass(frozen=True)
class AzureSide:
    """The Azure side of the stack with these files."""

    files: StackFiles

    @property
    def settings(self) -> AzureSettings | None:
        """The settings of a stack on Azure, None for a local one. Raises `SettingsError`."""
        return load_settings(self.files.effective()).azure

    def environment(self) -> dict[str, str]:
        """Variables for the engine's providers. Raises `IdentityError` for a workflow without an application."""
        return databricks_sign_in() if self.settings else {}

    def refuse_update(self, snapshot: Mapping[str, Any]) -> None:
        """Raise `PersonalizationError` if Azure can't change the stack to its settings."""
        if self.settings:
            refuse_to_change_network(snapshot.get("resources") or (), self.settings)
        self.refuse_plan(snapshot)

    def refuse_plan(self, snapshot: Mapping[str, Any]) -> None:
        """Raise `PersonalizationError` for storage that moves and other system nodes, and `StackPausedError` if the
        cluster is stopped.
        """
        if self.settings:
            resources = snapshot.get("resources") or ()
            refuse_to_move_storage(resources, self.settings, self.files.stack)
            refuse_to_change_system_nodes(resources, self.settings)
            self._require_running(snapshot, self.settings)

    def _require_running(self, snapshot: Mapping[str, Any], settings: AzureSettings) -> None:
        """Nothing may be trained that could not be served then.

        "You can only start or delete a stopped AKS cluster" (Microsoft, "Stop and start an AKS cluster").
        """
        clusters = [one["id"] for one in snapshot.get("resources") or () if one["type"] == CLUSTER and one.get("id")]
        if not clusters:
            return
        manager = resource_manager(settings.tenant)
        if any(power_of(manager, cluster) is Power.STOPPED for cluster in clusters):
            raise StackPausedError(
                f"Stack {self.files.stack} is paused: its cluster is stopped, and Azure allows only to start or delete "
                f"it. Run `.venv/bin/personalize resume --stack {self.files.stack}` first. Nothing was changed."
            )

    def enter(self, snapshot: Mapping[str, Any]) -> None:
        """Make the signed-in identity a member of Databricks, where a role is not enough."""
        if self.settings:
            join(snapshot.get("resources") or (), self.settings.tenant)

    def advice(self, failures: Mapping[str, Sequence[str]]) -> list[str]:
        """What to do about error messages of steps; empty for a local stack."""
        return advice(failures, self.files.stack, self.settings) if self.settings else []

    def renew_suffix(self) -> str | None:
        """Write the next suffix into the stack file, since Azure keeps deleted names for days. Returns a message."""
        if not self.settings:
            return None
        old = self.settings.suffix
        new = following(old)
        text = self.files.source.read_text(encoding="utf-8")
        renewed = SUFFIX.sub(lambda found: f"{found[1]}{new}{found[3]}", text, count=1)
        if renewed == text:
            return f"Azure keeps deleted names for days: set `azure.suffix` to another value than {old} before `up`."
        write_whole(self.files.source, renewed)
        budget = (
            " The budget counts groups with these names: as the subscription's owner, run `.venv/bin/personalize "
            f"bootstrap --stack {self.files.stack}` before the next `up`."
        )
        return (
            f"Azure keeps deleted names for days: `azure.suffix` in {self.files.source.name} is now {new}, not {old}."
            f"{budget if self.settings.monthly_budget is not None else ''}"
        )


def following(suffix: str) -> str:
    """The suffix after this one: `a`, `b` ... `z`, `za`."""
    return f"{suffix}a" if suffix[-1] >= LAST or suffix[-1].isdigit() else suffix[:-1] + chr(ord(suffix[-1]) + 1)
