"""What the stacks send by Resource Manager needs no rights but those of decision 36: in the stack's two groups.

Only then may a deployer of `dev` have none on the subscription. It reads the recordings of `make wiring`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from infra.cloud.role_list import Role
from personalize.bootstrap.rights import only_roles
from tests.infra.wiring.page import FOLDER, STACKS, VARIANTS

ROLE = "authorization:RoleAssignment"
GIVEN = {"private": {"rg-hub"}}
"""Groups of the network that a private stack is deployed from: the settings name what it uses there."""


def sent(page: str) -> dict[str, Mapping[str, Any]]:
    """The inputs of each Azure resource, by type and name; a variant has only what differs from `dev`."""
    names = [page] if page in STACKS else ["dev", page]
    pages = [yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8")) for name in names]
    found = {name: one for content in pages for name, one in content["resources"].items()}
    return {name: one["inputs"] for name, one in found.items() if one.get("provider") == "azure"}


def groups(resources: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """The group that each resource lies in, its own or that of the resource that it extends."""
    for name, inputs in resources.items():
        own = inputs
        while "resourceGroupName" not in own:
            extended = own.get("scope") or own["resourceUri"]
            own = resources[extended.partition("{")[2].partition("}")[0]]
        yield name, own["resourceGroupName"]


@pytest.mark.parametrize("page", [*STACKS, *VARIANTS])
def test_everything_lies_in_the_stack_s_two_groups(page: str) -> None:
    found = dict(groups(sent(page)))
    assert len(found) >= 50
    elsewhere = {name: group for name, group in found.items() if not group.startswith(("rg-serving-", "rg-training-"))}
    assert set(elsewhere.values()) == GIVEN.get(page, set()), elsewhere
    assert len(set(found.values()) - set(elsewhere.values())) == 2


@pytest.mark.parametrize("page", [*STACKS, *VARIANTS])
def test_every_role_is_one_that_a_deployer_may_assign(page: str) -> None:
    assigned = {
        inputs["roleDefinitionId"].rpartition("/")[2] for name, inputs in sent(page).items() if name.startswith(ROLE)
    }
    assert assigned
    assert all(role in only_roles(*Role) for role in assigned)
