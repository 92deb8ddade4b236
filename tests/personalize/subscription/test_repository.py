"""The commands with which `bootstrap` sets up a repository: they make what the workflows read."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from personalize.commands.github import commands
from personalize.stack import on_azure
from personalize.stack.on_azure import stacks_of_repository
from tests.support.azure_stack import REQUIRED, azure_stack
from tools.paths import ROOT

FOLDER = ROOT / ".github" / "workflows"
REPOSITORY = "octo/clicks"
VARIABLES = {
    "": {"ARM_TENANT_ID": "t", "ARM_SUBSCRIPTION_ID": "s"},
    "dev": {"ARM_CLIENT_ID": "c"},
    "dev-nightly": {"ARM_CLIENT_ID": "c"},
    "dev-preview": {"ARM_CLIENT_ID": "p"},
}
MADE = [" ".join(command) for command in commands(REPOSITORY, VARIABLES, ["dev", "prod"])]


def test_the_workflows_with_a_schedule_are_enabled_once_their_variables_are_set() -> None:
    scheduled = sorted(file.name for file in FOLDER.glob("*.yml") if "  schedule:\n" in file.read_text("utf-8"))
    assert MADE[-len(scheduled) :] == [f"gh workflow enable {name} --repo {REPOSITORY}" for name in scheduled]


def test_the_variables_are_those_that_the_workflows_read() -> None:
    of_repository = re.findall(r"gh variable set (\w+) --repo octo/clicks --body (.*)", "\n".join(MADE))
    assert dict(of_repository)["STACKS"] == '["dev", "prod"]'
    of_environment = re.findall(r"gh variable set (\w+) --repo octo/clicks --env (\S+) --body (\w+)", "\n".join(MADE))
    assert [(environment, value) for _, environment, value in of_environment] == [
        ("dev", "c"),
        ("dev-nightly", "c"),
        ("dev-preview", "p"),
    ]
    read = set(re.findall(r"vars\.(\w+)", "".join(file.read_text("utf-8") for file in FOLDER.glob("*.yml"))))
    assert read == {*dict(of_repository), "ARM_CLIENT_ID", "NIGHTLY_TESTS", "PREVIEW_STACKS", "RUNNER"}


def test_each_environment_is_made_before_its_variables() -> None:
    for environment in ("dev", "dev-nightly", "dev-preview"):
        path = f"repos/octo/clicks/environments/{environment}"
        first = next(number for number, line in enumerate(MADE) if f"PUT {path}" in line)
        assert first < next(number for number, line in enumerate(MADE) if f"--env {environment} " in line)


@pytest.mark.parametrize(
    ("environments", "stacks", "for_main"),
    [
        (["dev", "dev-nightly", "dev-preview"], ["dev", "prod"], ["dev", "dev-nightly"]),
        (["a-preview", "a-preview-nightly", "a-preview-preview"], ["a-preview"], ["a-preview", "a-preview-nightly"]),
    ],
)
def test_every_environment_that_deploys_is_for_the_main_branch_alone(
    environments: list[str], stacks: list[str], for_main: list[str]
) -> None:
    made = [" ".join(command) for command in commands(REPOSITORY, {name: {} for name in environments}, stacks)]
    limited = "deployment_branch_policy[custom_branch_policies]=true"
    assert [line.rpartition("/environments/")[2].split()[0] for line in made if limited in line] == for_main
    assert [line for line in made if "deployment-branch-policies" in line] == [
        f"gh api -X POST repos/octo/clicks/environments/{name}/deployment-branch-policies -f name=main"
        for name in for_main
    ]


def test_the_list_has_the_stacks_whose_files_name_the_repository_protected_ones_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_azure, "ROOT", tmp_path)
    own: dict[str, dict[str, object]] = {
        "prod": {"protect": True},
        "dev": {},
        "other": {"github_repository": "octo/another"},
        "broken": {"zones": 1},
    }
    for name, changes in own.items():
        azure = {**REQUIRED, "github_repository": REPOSITORY, **changes}
        config = {"personalization:target": "azure", "personalization:azure": azure}
        (tmp_path / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump({"config": config}))
    shutil.copy(ROOT / "Pulumi.local.yaml", tmp_path)
    settings = azure_stack(github_repository=REPOSITORY)
    assert stacks_of_repository(REPOSITORY, "dev", settings) == ["dev", "prod"]
    assert stacks_of_repository(REPOSITORY, "elsewhere", settings) == ["dev", "elsewhere", "prod"]
