"""Azure's answers to what the product and its simulation assume, in one file without IDs that can be sent back."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from azure.core.exceptions import AzureError
from databricks.sdk.errors.base import DatabricksError
from httpx import HTTPError

from azure_clients import credentials
from features.errors import PersonalizationError, reason
from features.yaml_text import load_yaml
from infra.azure_settings import AzureSettings
from infra.cloud.names import Names, names_of
from personalize.stack.cluster import Cluster

ASSUMPTIONS = Path(__file__).with_name("assumptions.yaml")
GROUP = "/subscriptions/{subscription}/resourceGroups"
WORKSPACE = GROUP + "/{training_group}/providers/Microsoft.Databricks/workspaces/{databricks}"
WORKSPACE_VERSION = "2024-05-01"
LONGEST = 4_000
"""Characters that are kept of an answer."""
WAITED = re.compile(r"waiting (?:to|for) (.+?)[:,].*?(\d+) s so far")
"""A step's message while it waits (`azure_clients.retries`)."""
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")


class Answers:
    """What was asked of Azure so far, by stage; read again by the next run."""

    def __init__(self, file: Path, stack: str, settings: AzureSettings) -> None:
        """The stack's names are those of `settings`."""
        self._file, self._stack, self._settings = file, stack, settings
        self._found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}

    def keep(self, what: str, answer: object) -> None:
        """Write an answer, without IDs and addresses; equal IDs stay equal."""
        self._found[what] = answer
        text = ID.sub(_hidden, json.dumps(self._found, indent=1, default=str))
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(MAIL.sub("somebody@example.com", text), encoding="utf-8")

    def note_waits(self, said: Iterable[str]) -> None:
        """Keep the longest wait of a command's steps, by what they waited for."""
        waits: dict[str, float] = self._found.get("longest waits, in seconds", {})
        for found in filter(None, map(WAITED.search, said)):
            waits[found[1]] = max(waits.get(found[1], 0.0), float(found[2]))
        self.keep("longest waits, in seconds", waits)

    def ask(self, stage: str) -> list[str]:
        """Ask what the stage's assumptions are about. Returns those that do not hold or could not be seen."""
        asked = [one for one in load_yaml(ASSUMPTIONS.read_text(encoding="utf-8")) if one["stage"] == stage]
        different = []
        for one in asked:
            try:
                answer = self._answer(one["ask"], one["path"].format_map(_Parts(self._stack, self._settings)))
                shown = {field: _in(answer, field.split(".")) for field in one["shows"]}
            except (PersonalizationError, AzureError, DatabricksError, HTTPError, LookupError) as error:
                answer, shown = reason(error), {}
            holds = bool(shown) and all(_fits(shown[field], wanted) for field, wanted in one["shows"].items())
            kept = {"holds": holds, "shown": shown, "answer": json.dumps(answer, default=str)[:LONGEST]}
            self.keep(one["says"], kept)
            different += [] if holds else [f"{one['says']} Azure: {shown or answer}"]
        return different

    def _answer(self, service: str, path: str) -> Any:
        tenant = self._settings.tenant
        if service == "cluster":
            return Cluster.of(self._stack, self._settings).look(path)
        manager = credentials.resource_manager(tenant)
        if service == "manager":
            place, _, version = path.partition("?api-version=")
            return manager.get(place, version)
        workspace = WORKSPACE.format_map(_Parts(self._stack, self._settings))
        url = (manager.get(workspace, WORKSPACE_VERSION) or {})["properties"]["workspaceUrl"]
        return credentials.databricks(tenant, f"https://{url}", workspace).api_client.do("GET", path)


def _hidden(found: re.Match[str]) -> str:
    return f"id-{hashlib.sha256(found[0].lower().encode()).hexdigest()[:10]}"


class _Parts(dict[str, str]):
    """A path's parts: the stack's names and location, and the resource groups' paths."""

    def __init__(self, stack: str, settings: AzureSettings) -> None:
        names: Names = names_of(stack, settings)
        at = GROUP.format(subscription=names.subscription)
        super().__init__(location=settings.location, groups=at)
        self["training"] = f"{at}/{names.training_group}/providers"
        self["serving"] = f"{at}/{names.serving_group}/providers"
        self._names = names

    def __missing__(self, name: str) -> str:
        return str(getattr(self._names, name))


def _in(answer: object, field: list[str]) -> object:
    """The field of an answer, None if it has none."""
    for part in field:
        if isinstance(answer, list):
            answer = answer[int(part)] if int(part) < len(answer) else None
        else:
            answer = answer.get(part) if isinstance(answer, Mapping) else None
    return answer


def _fits(found: object, wanted: object) -> bool:
    """Whether it is what is wanted, or anything for `any`. Azure's own spelling of a value is not fixed."""
    return found not in (None, "", [], {}) if wanted == "any" else str(found).lower() == str(wanted).lower()
