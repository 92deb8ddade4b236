"""Workflows of a stack that lets in only some addresses run on a runner that has one of them."""

from dataclasses import replace

import pytest

from infra.azure_settings import AzureSettings
from personalize.delivery.runner import RunnerOutsideError, require_runner
from tests.infra.unit.test_private_settings import AZURE, PRIVATE
from tests.personalize.delivery.test_workflows import CHANGES_A_STACK, EVENT, SIGNED_IN
from tests.personalize.delivery.workflow import load, shells

ON_GITHUB = {"GITHUB_ACTIONS": "true", "RUNNER": ""}
"""An unset variable of the repository arrives as empty text."""
CLOSED = ({"authorized_ip_ranges": ["203.0.113.0/24"]}, {"allowed_sources": ["203.0.113.0/24"]}, PRIVATE)


def settings(**azure: object) -> AzureSettings:
    return AzureSettings.model_validate(AZURE | azure)


@pytest.mark.parametrize("closed", CLOSED)
def test_a_runner_of_github_s_is_refused_where_it_is_not_let_in(closed: dict[str, object]) -> None:
    with pytest.raises(RunnerOutsideError, match=r"GitHub.s own runners can.t reach stack prod: .* variable `RUNNER`"):
        require_runner("prod", settings(**closed), ON_GITHUB)


@pytest.mark.parametrize("closed", CLOSED)
def test_a_named_runner_and_a_person_s_machine_are_not(closed: dict[str, object]) -> None:
    require_runner("prod", settings(**closed), ON_GITHUB | {"RUNNER": "private-network"})
    require_runner("prod", settings(**closed), {})


def test_any_runner_reaches_a_stack_that_is_open() -> None:
    require_runner("dev", settings(), ON_GITHUB)
    require_runner("local", None, ON_GITHUB)


@pytest.mark.parametrize("name", [*CHANGES_A_STACK, "preview"])
def test_each_workflow_says_which_runner_it_has(name: str) -> None:
    event = replace(EVENT, vars={**SIGNED_IN, "RUNNER": "private-network"})
    found = [step.env["RUNNER"] for step in shells(load(name), event)]
    assert found
    assert set(found) == {"private-network"}
