"""The workflows: pinned, with least permissions, and made of commands that also work on a laptop."""

import re
import subprocess
from dataclasses import replace

import pytest

from tests.personalize.delivery.workflow import (
    FOLDER,
    Event,
    fill,
    jobs,
    load,
    runs,
    shells,
)
from tools.paths import ROOT

NAMES = sorted(file.stem for file in FOLDER.glob("*.yml"))
CHANGES_A_STACK = ("deploy", "retrain", "resource-drift", "destroy")
SIGNED_IN = {"ARM_CLIENT_ID": "client", "ARM_TENANT_ID": "tenant", "ARM_SUBSCRIPTION_ID": "subscription"}
OWN = {"pull_request": {"number": 7, "head": {"repo": {"full_name": "owner/it"}}}}
EVENT = Event(
    inputs={"stack": "dev", "confirm": "dev"},
    vars=SIGNED_IN,
    secrets={"GITHUB_TOKEN": "token"},
    github={"repository": "owner/it", "event": OWN, "ref": "refs/heads/main", "event_name": "push"},
)
WRITES = {
    "preview": {"id-token", "pull-requests"},
    "deploy": {"id-token", "issues"},
    "retrain": {"id-token", "issues"},
    "resource-drift": {"id-token", "issues"},
    "destroy": {"id-token"},
}
"""Write permissions of each workflow, over all its jobs; it may at most read everything else."""


def test_the_eight_workflows_are_there() -> None:
    assert NAMES == [
        "audit",
        "check",
        "deploy",
        "destroy",
        "preview",
        "resource-drift",
        "retrain",
        "untested-platforms",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_has_no_permission_and_its_jobs_those_that_they_name(name: str) -> None:
    content = load(name)
    assert content["permissions"] == {}
    given = [job["permissions"] for job in content["jobs"].values()]
    assert {scope for one in given for scope, level in one.items() if level == "write"} == WRITES.get(name, set())


def test_the_workflow_s_own_token_is_the_only_secret() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in FOLDER.glob("*.yml"))
    assert set(re.findall(r"secrets\.(\w+)", text)) == {"GITHUB_TOKEN"}
    assert "secrets: inherit" not in text


def test_no_expression_stands_in_a_shell_step() -> None:
    assert [job["steps"] for _, job in jobs() for step in job.get("steps", []) if "${{" in step.get("run", "")] == []


def test_a_checkout_leaves_no_token_behind() -> None:
    checkouts = [step for _, job in jobs() for step in job.get("steps", []) if "actions/checkout@" in str(step)]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("name", NAMES)
def test_every_shell_step_is_a_make_target_that_a_dry_run_finds(name: str) -> None:
    steps = shells(load(name), EVENT)
    assert steps
    for step in steps:
        assert re.fullmatch(r"make [a-z-]+", step.run)
        dry = subprocess.run(
            ["make", "--dry-run", *step.run.split()[1:]],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", **step.env},
            capture_output=True,
            text=True,
            check=False,
        )
        assert dry.returncode == 0, dry.stderr
        for module in re.findall(r"-m ([\w.]+)", dry.stdout):
            path = ROOT / module.replace(".", "/")
            assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file() or module in INSTALLED


INSTALLED = {"pytest", "ruff", "mypy"}


@pytest.mark.parametrize("name", [*CHANGES_A_STACK, "preview"])
def test_the_stack_and_the_identity_reach_the_shell(name: str) -> None:
    for step in shells(load(name), EVENT):
        assert step.env["STACK"] == "dev"
        assert SIGNED_IN.items() <= step.env.items()
    assert (ROOT / "Pulumi.dev.yaml").is_file()


def test_the_typed_name_reaches_the_shell_as_it_is_and_in_no_command() -> None:
    [step] = shells(load("destroy"), Event(inputs={"stack": "dev", "confirm": "$(id)"}, vars=SIGNED_IN))
    assert step.env["CONFIRM"] == "$(id)"
    assert step.run == "make destroy"


@pytest.mark.parametrize("name", CHANGES_A_STACK)
def test_one_at_a_time_for_a_stack_and_never_cancelled(name: str) -> None:
    content = load(name)
    [found] = [
        one["concurrency"]
        for one in (content, *content["jobs"].values())
        if "concurrency" in one and "steps" in str(one)
    ]
    assert fill(found["group"], replace(EVENT, matrix={"stack": "dev"})) == "stack-dev"
    assert found["cancel-in-progress"] is False


@pytest.mark.parametrize(
    ("name", "variable"), [("retrain", "STACKS"), ("resource-drift", "STACKS"), ("preview", "PREVIEW_STACKS")]
)
def test_every_stack_that_the_repository_names_has_its_turn_with_an_identity_of_its_own(
    name: str, variable: str
) -> None:
    event = replace(EVENT, vars={**SIGNED_IN, variable: '["dev", "prod"]'})
    assert [step.env["STACK"] for step in shells(load(name), event)] == ["dev", "prod"]
    (job,) = load(name)["jobs"].values()
    environments = [fill(job["environment"], run) for run in runs(job, event)]
    assert environments == [f"{stack}-{'preview' if name == 'preview' else 'nightly'}" for stack in ("dev", "prod")]


@pytest.mark.parametrize("name", ["deploy", "destroy"])
def test_the_stacks_environment_says_who_must_approve(name: str) -> None:
    [environment] = [job["environment"] for job in load(name)["jobs"].values() if "environment" in job]
    assert fill(environment, EVENT) == "dev"


def test_a_deployment_needs_a_green_check_of_its_own_commit() -> None:
    content = load("deploy")
    assert content["jobs"]["deploy"]["needs"] == "check"
    assert content["jobs"]["check"]["uses"] == "./.github/workflows/check.yml"
    assert "workflow_call" in load("check")["on"]
    assert content["on"]["push"] == {"branches": ["main"]}


def test_a_fork_gets_no_preview_and_a_repository_without_azure_no_job() -> None:
    fork = {"repository": "owner/it", "event": {"pull_request": {"head": {"repo": {"full_name": "other/it"}}}}}
    assert shells(load("preview"), EVENT)
    assert shells(load("preview"), Event(vars=SIGNED_IN, github=fork, secrets=EVENT.secrets)) == []
    for name in (*CHANGES_A_STACK, "preview"):
        assert shells(load(name), Event(inputs=EVENT.inputs, github=EVENT.github)) == []


def test_the_labels_of_a_pull_request_start_a_new_preview() -> None:
    assert {"labeled", "unlabeled"} <= set(load("preview")["on"]["pull_request"]["types"])


def test_training_is_daily_and_drift_is_looked_for_by_the_clock() -> None:
    [training] = load("retrain")["on"]["schedule"]
    assert re.fullmatch(r"\d+ \d+ \* \* \*", training["cron"])
    assert load("resource-drift")["on"]["schedule"]
