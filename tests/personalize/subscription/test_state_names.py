"""The names of what holds a stack's state in the subscription."""

import re

import pytest

from personalize.bootstrap.names import StateNames
from tests.personalize.subscription.conftest import CALLER, SUBSCRIPTION


@pytest.mark.parametrize("stack", ["Dev_EU", "dev.eu", "-dev-", "ü", "x" * 100])
def test_any_stack_has_a_container_and_a_key_that_azure_accepts(stack: str) -> None:
    names = StateNames(subscription=SUBSCRIPTION, stack=stack)
    assert re.fullmatch(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", names.container)
    assert re.fullmatch(r"[A-Za-z0-9-]{1,127}", names.key)
    assert names.container != StateNames(subscription=SUBSCRIPTION, stack="dev-eu").container


def test_the_names_are_ones_that_azure_takes() -> None:
    names = StateNames(subscription=SUBSCRIPTION, stack="dev")
    assert re.fullmatch("[a-z0-9]{3,24}", names.account)
    assert re.fullmatch("[a-z][a-z0-9-]{1,22}[a-z0-9]", names.vault)
    assert StateNames(subscription=CALLER, stack="dev").account != names.account
