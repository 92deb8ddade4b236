"""The condition on a deployer's right to give roles admits every role of the stack, and no Owner."""

import pytest

from infra.cloud.role_list import Role
from personalize.bootstrap.rights import only_roles
from tests.simulation.examples.azure import create_all, example
from tests.simulation.examples.names import role
from tests.simulation.published import ROLES
from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.services.authorization import TYPE as ROLE


def test_the_condition_of_the_bootstrap_lets_every_role_of_the_stack_be_given_and_no_owner(arm: AzureNative) -> None:
    create_all(arm, until=ROLE)
    arm.world.set("deployer_condition", only_roles(*Role))
    for number, one in enumerate(Role):
        named = {"roleAssignmentName": f"0f1a9a44-7a53-4b5b-9a5e-6f5d5f0b00{number:02}"}
        arm.create(ROLE, example(ROLE) | named | {"roleDefinitionId": role(one)})
    with pytest.raises(RefusedError, match="ABAC condition"):
        arm.create(ROLE, example(ROLE) | {"roleDefinitionId": role(ROLES["Owner"])})
