"""The policy pack in the real engine, on the simulated Azure: a resource that violates a policy is never created."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi import automation

pytest.importorskip("pulumi_policy", reason="needs `uv sync --inexact --extra azure`")

from pulumi_azure_native import resources, storage

from infra.cloud.names import Names
from tests.simulation.pulumi_stack import pulumi_stack
from tests.simulation.requirements import need_azure_packages
from tests.simulation.world import World
from tools.paths import ROOT

pytestmark = pytest.mark.engine

PACK = ROOT / "infra" / "policy" / "serve"
TAGS = {"project": "personalization", "stack": "test"}
ACCOUNT = "azure-native:storage:StorageAccount"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An empty simulated cloud."""
    need_azure_packages()
    made = World(tmp_path / "world")
    yield made
    made.close()


@pytest.fixture
def wanted() -> dict[str, Any]:
    """Properties of the stack's storage account; a test changes them."""
    return {"public": False}


@pytest.fixture
def stack(world: World, tmp_path: Path, wanted: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> automation.Stack:
    """A stack with one storage account."""

    def declare() -> None:
        subscription = world.setting("subscription")
        names = Names(stack="test", subscription=subscription, suffix="a")
        group = resources.ResourceGroup("group", resource_group_name="rg-test", location="westeurope", tags=TAGS)
        storage.StorageAccount(
            "lake",
            resource_group_name=group.name,
            location="westeurope",
            account_name=names.lake,
            kind=storage.Kind.STORAGE_V2,
            sku=storage.SkuArgs(name=storage.SkuName.STANDARD_LRS),
            allow_blob_public_access=wanted["public"],
            allow_shared_key_access=False,
            minimum_tls_version=storage.MinimumTlsVersion.TLS1_2,
            tags=TAGS,
        )

    return pulumi_stack(tmp_path, world, declare, monkeypatch)


@pytest.mark.full
def test_a_good_stack_goes_up(stack: automation.Stack, world: World) -> None:
    stack.up(policy_packs=[str(PACK)])
    assert [record.type for record in world.all()].count(ACCOUNT) == 1


def test_a_bad_resource_is_never_made(stack: automation.Stack, world: World, wanted: dict[str, Any]) -> None:
    wanted["public"] = True
    with pytest.raises(automation.CommandError, match="no-public-blobs"):
        stack.up(policy_packs=[str(PACK)])
    assert [record for record in world.all() if record.type == ACCOUNT] == []
