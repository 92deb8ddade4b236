"""A workflow works on a stack with an identity, from a runner that the stack lets in."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from infra.azure_settings import AzureSettings
from personalize.delivery import __main__ as command
from personalize.delivery.runner import (
    RepositoryUnreadyError,
    RunnerOutsideError,
    require_repository,
    require_runner,
)
from personalize.stack import stack_files
from tests.infra.unit.test_private_settings import AZURE, PRIVATE
from tests.infra.unit.test_private_settings import settings as stack_file
from tests.personalize.delivery.conftest import Told
from tests.personalize.delivery.test_workflows import CHANGES_A_STACK, EVENT, SIGNED_IN
from tests.personalize.delivery.workflow import load, signed_in

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


def test_a_job_without_an_identity_is_told_which_variable_is_missing_and_what_sets_it() -> None:
    given = ON_GITHUB | SIGNED_IN | {"ARM_CLIENT_ID": ""}
    with pytest.raises(RepositoryUnreadyError, match=r"has no ARM_CLIENT_ID: .* bootstrap --stack prod` and the `gh`"):
        require_repository("prod", settings(), given)


def test_a_person_s_machine_and_a_repository_that_is_ready_are_let_through() -> None:
    require_repository("dev", settings(), ON_GITHUB | SIGNED_IN)
    require_repository("dev", settings(), {})
    require_repository("local", None, ON_GITHUB)


@pytest.mark.parametrize("name", [*CHANGES_A_STACK, "preview"])
def test_each_workflow_says_which_runner_it_has(name: str) -> None:
    event = replace(EVENT, vars={**SIGNED_IN, "RUNNER": "private-network"})
    found = [step.env["RUNNER"] for step in signed_in(load(name), event)]
    assert found
    assert set(found) == {"private-network"}


@pytest.mark.parametrize(
    ("azure", "identity", "refused"),
    [(CLOSED[0], {}, RunnerOutsideError), ({}, {"ARM_CLIENT_ID": ""}, RepositoryUnreadyError)],
)
def test_deploy_is_refused_before_it_calls_anything(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    azure: dict[str, object],
    identity: dict[str, str],
    refused: type[Exception],
) -> None:
    content = {"config": stack_file(**azure)}
    (tmp_path / "Pulumi.prod.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    monkeypatch.setattr(stack_files, "ROOT", tmp_path)
    monkeypatch.setattr(command, "personalize", told := Told({}))
    environment = {**ON_GITHUB, **SIGNED_IN, **identity, "PERSONALIZE_STATE": str(tmp_path / "state")}
    ended = CliRunner().invoke(command.app, ["deploy", "--stack", "prod", "--commit", "c" * 40], env=environment)
    assert isinstance(ended.exception, refused)
    assert told.calls == []
