"""What a stack on Azure needs around the engine's operations; for one on this machine all of it is nothing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from features.files import write_whole
from infra.azure_settings import AzureSettings
from infra.settings import load_settings
from personalize.stack.data_guard import begins_anew, refuse_to_change_network, refuse_to_replace_data
from personalize.stack.databricks_access import join
from personalize.stack.stack_files import StackFiles
from tools.paths import ROOT

POLICY_PACK = ROOT / "infra" / "policy" / "serve"
SUFFIX = re.compile(r"^(\s+suffix:\s*['\"]?)([a-z0-9]+)(['\"]?\s*(?:#.*)?)$", re.MULTILINE)
LAST = "z"


@dataclass(frozen=True)
class AzureSide:
    """Of the stack with these files."""

    files: StackFiles

    @property
    def settings(self) -> AzureSettings | None:
        """Those of the stack on Azure, None for another; raises `SettingsError`."""
        return load_settings(self.files.effective()).azure

    @property
    def policy_packs(self) -> list[str]:
        """What every resource must pass before it is made."""
        return [str(POLICY_PACK)] if self.settings else []

    def refuse_to_replace_data(self, snapshot: Mapping[str, Any]) -> None:
        """Raise `DataWouldBeReplacedError` when an update with the settings would make the storage anew."""
        if self.settings:
            refuse_to_replace_data(snapshot.get("resources") or (), self.settings, self.files.stack)

    def refuse_to_change_network(self, snapshot: Mapping[str, Any]) -> None:
        """Raise `NetworkWouldChangeError` when an update would put what lies in a network into another one."""
        if self.settings:
            refuse_to_change_network(snapshot.get("resources") or (), self.settings)

    def begins_anew(self, snapshot: Mapping[str, Any]) -> bool:
        """Whether an update with the settings would make the storage anew; raises `NamesTakenError`."""
        resources = snapshot.get("resources") or ()
        return self.settings is not None and begins_anew(resources, self.settings, self.files.stack)

    def enter(self, snapshot: Mapping[str, Any]) -> None:
        """Let who is signed in into the services that do not go by roles alone; raises `NoMemberError`."""
        if self.settings:
            join(snapshot.get("resources") or (), self.settings.tenant)

    def renew_suffix(self) -> str | None:
        """Write another suffix into the stack file: Azure keeps deleted names for days. A sentence about it."""
        if not self.settings:
            return None
        old = self.settings.suffix
        new = following(old)
        text = self.files.source.read_text(encoding="utf-8")
        renewed = SUFFIX.sub(lambda found: f"{found[1]}{new}{found[3]}", text, count=1)
        if renewed == text:
            return f"Azure keeps deleted names for days: set `azure.suffix` to another value than {old} before `up`."
        write_whole(self.files.source, renewed)
        return (
            f"Azure keeps deleted names for days: `azure.suffix` in {self.files.source.name} is now {new}, not {old}."
        )


def following(suffix: str) -> str:
    """The suffix after this one: `a`, `b` ... `z`, `za`."""
    return f"{suffix}a" if suffix[-1] >= LAST or suffix[-1].isdigit() else suffix[:-1] + chr(ord(suffix[-1]) + 1)
