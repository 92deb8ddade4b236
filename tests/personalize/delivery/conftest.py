"""A local GitHub API, and scripted `personalize` commands."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from personalize.delivery.command import Ended
from tests.personalize.delivery.github_server import GitHubServer, serving


@pytest.fixture
def hub() -> Iterator[GitHubServer]:
    """A GitHub API with an empty repository."""
    with serving() as server:
        yield server


@dataclass
class Told:
    """Answers each command by its first word, and keeps the calls."""

    answers: dict[str, Ended]
    calls: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(self, *arguments: str) -> Ended:
        self.calls.append(arguments)
        return self.answers[arguments[0]]


def resource(name: str, kind: str, operation: str, *properties: str, replaces: tuple[str, ...] = ()) -> dict[str, Any]:
    """A resource in the format of `preview --json`."""
    return {
        "urn": f"urn:pulumi:dev::personalization::{kind}::{name}",
        "type": kind,
        "name": name,
        "operation": operation,
        "properties": list(properties),
        "replaces": list(replaces),
    }


def preview(*resources: Mapping[str, Any], same: int = 10) -> dict[str, Any]:
    """The output of `preview --json`."""
    counts: dict[str, int] = {"same": same} if same else {}
    for one in resources:
        counts[one["operation"]] = counts.get(one["operation"], 0) + 1
    return {"changes": counts, "steps": {}, "seconds": 11.2, "resources": list(resources), "data_read": True}


LAKE = resource("lake", "azure-native:storage:StorageAccount", "replace", "location", replaces=("location",))
NEW_DATA = (
    resource("data", "personalize:azure:DataUpload", "replace", "manifest_hash", replaces=("manifest_hash",)),
    resource("training", "personalize:azure:TrainingRun", "replace", "location", "manifest_hash"),
    resource("model", "personalize:azure:ModelVersion", "update", "bundle", "bundle_hash"),
    resource("image", "personalize:azure:ServingImage", "replace", "version", "bundle_hash"),
    resource("deployment", "kubernetes:apps/v1:Deployment", "update", "spec.template.spec.containers[0].image"),
    resource("champion", "personalize:azure:Champion", "update", "version"),
)

Say = Callable[[str], None]
