"""The commands with which `bootstrap` sets up a repository: they make what the workflows read."""

import re

import pytest
import yaml

from infra.azure_settings import AzureSettings
from personalize.commands.github import commands
from personalize.stack import on_azure
from personalize.stack.on_azure import azure_of_file, stacks_of_repository
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
    assert read == {*dict(of_repository), "ARM_CLIENT_ID", "PREVIEW_STACKS", "RUNNER"}


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
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {name: yaml.safe_load((ROOT / f"Pulumi.{name}.yaml").read_text("utf-8")) for name in ("dev", "prod")}
    azure = {
        name: AzureSettings.model_validate(
            content["config"]["personalization:azure"] | {"github_repository": REPOSITORY, "protect": name == "dev"}
        )
        for name, content in files.items()
    }
    monkeypatch.setattr(on_azure, "azure_of_file", azure.get)
    assert stacks_of_repository(REPOSITORY, "dev", azure["dev"]) == ["prod", "dev"]
    assert stacks_of_repository("octo/another", "dev", azure["dev"]) == []
    elsewhere = azure["prod"].model_copy(update={"github_repository": "octo/another"})
    assert stacks_of_repository("octo/another", "prod", elsewhere) == ["prod"]


def test_a_stack_file_that_cannot_be_used_is_left_out() -> None:
    assert azure_of_file("local") is None
    assert azure_of_file("no-such-stack") is None
