"""The workflows: pinned, with least permissions, and made of commands that also work on a laptop."""

import re
import subprocess
from dataclasses import replace

import pytest

from tests.personalize.delivery.workflow import (
    FOLDER,
    Event,
    fill,
    holds,
    jobs,
    load,
    runs,
    shells,
    signed_in,
)
from tools.paths import ROOT

NAMES = sorted(file.stem for file in FOLDER.glob("*.yml"))
BY_HAND = ("destroy", "rollback", "pause", "resume")
CHANGES_A_STACK = ("deploy", "retrain", "resource-drift", *BY_HAND)
SIGNED_IN = {"ARM_CLIENT_ID": "client", "ARM_TENANT_ID": "tenant", "ARM_SUBSCRIPTION_ID": "subscription"}
OWN = {"pull_request": {"number": 7, "head": {"repo": {"full_name": "owner/it"}}}}
LISTED = {"all": '["dev", "prod"]', "previews": '["dev"]', "first": "dev"}
NEEDS = {"stacks": {"outputs": LISTED}, "check": {"result": "success"}}
"""The jobs before, in a repository with two stacks whose commit has passed its own check."""
EVENT = Event(
    inputs={"stack": "dev", "confirm": "dev", "version": "3"},
    vars=SIGNED_IN | {"STACKS": LISTED["all"]},
    needs=NEEDS,
    secrets={"GITHUB_TOKEN": "token"},
    github={"repository": "owner/it", "event": OWN, "ref": "refs/heads/main", "event_name": "push"},
)
WRITES = {
    "preview": {"id-token", "pull-requests"},
    "deploy": {"id-token", "issues"},
    "retrain": {"id-token", "issues"},
    "resource-drift": {"id-token", "issues"},
    **{name: {"id-token"} for name in BY_HAND},
}
"""Write permissions of each workflow, over all its jobs; it may at most read everything else."""


def test_the_page_about_github_has_every_workflow() -> None:
    page = (ROOT / "docs" / "how-to" / "github.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \|.*$", page, re.MULTILINE)
    assert sorted(rows) == [name for name in NAMES if name != "stacks"]


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
    for step in signed_in(load(name), EVENT):
        assert step.env["STACK"] in {"dev", "prod"}
        assert SIGNED_IN.items() <= step.env.items()
    assert (ROOT / "Pulumi.dev.yaml").is_file()


def test_the_typed_name_reaches_the_shell_as_it_is_and_in_no_command() -> None:
    [step] = shells(load("destroy"), replace(EVENT, inputs={"stack": "dev", "confirm": "$(id)"}))
    assert step.env["CONFIRM"] == "$(id)"
    assert step.run == "make destroy"


@pytest.mark.parametrize("name", CHANGES_A_STACK)
def test_one_at_a_time_for_a_stack_and_never_cancelled(name: str) -> None:
    content = load(name)
    [found] = [job["concurrency"] for job in content["jobs"].values() if "ARM_USE_OIDC" in job.get("env", {})]
    assert fill(found["group"], replace(EVENT, matrix={"stack": "dev"})) == "stack-dev"
    assert found["cancel-in-progress"] is False


def test_a_deployment_by_hand_cancels_no_check_that_another_one_waits_for() -> None:
    pushed = replace(EVENT, github={"run_id": "1", "ref": "refs/heads/main", "sha": "a", "event": {}})
    by_hand = replace(pushed, github={**pushed.github, "run_id": "2", "event": {"inputs": {"stack": "prod"}}})
    limit = load("check")["concurrency"]
    assert fill(limit["group"], pushed) != fill(limit["group"], by_hand)
    assert fill(limit["cancel-in-progress"], pushed) == "False"


@pytest.mark.parametrize(("name", "output"), [("retrain", "all"), ("resource-drift", "all"), ("preview", "previews")])
def test_every_stack_of_the_list_has_its_turn_with_an_identity_of_its_own(name: str, output: str) -> None:
    event = replace(EVENT, needs={"stacks": {"outputs": LISTED | {output: '["dev", "prod"]'}}})
    job = load(name)["jobs"][name]
    assert [fill(job["env"]["STACK"], run) for run in runs(job, event)] == ["dev", "prod"]
    environments = [fill(job["environment"], run) for run in runs(job, event)]
    assert environments == [f"{stack}-{'preview' if name == 'preview' else 'nightly'}" for stack in ("dev", "prod")]


def test_no_workflow_names_a_stack() -> None:
    """The variable STACKS is the only list of them; `deploy` and `destroy` say which names a stack may have."""
    for name in NAMES:
        assert not re.search(r"""['"](dev|prod)['"]""", (FOLDER / f"{name}.yml").read_text(encoding="utf-8")), name


@pytest.mark.parametrize("name", [*CHANGES_A_STACK, "preview"])
def test_the_stacks_come_from_the_list_and_one_that_a_person_chose_is_looked_up_in_it(name: str) -> None:
    job = load(name)["jobs"]["stacks"]
    assert job["uses"] == "./.github/workflows/stacks.yml"
    chosen = "inputs" in (load(name)["on"].get("workflow_dispatch") or {})
    assert ("with" in job) is chosen
    assert load("stacks")["jobs"]["stacks"]["outputs"].keys() == load("stacks")["on"]["workflow_call"]["outputs"].keys()


@pytest.mark.parametrize("name", ["deploy", *BY_HAND])
def test_the_stacks_environment_says_who_must_approve(name: str) -> None:
    [environment] = [job["environment"] for job in load(name)["jobs"].values() if "environment" in job]
    assert fill(environment, EVENT) == "dev"


def test_a_fork_gets_no_preview_and_a_repository_without_azure_no_job() -> None:
    fork = {"repository": "owner/it", "event": {"pull_request": {"head": {"repo": {"full_name": "other/it"}}}}}
    preview = load("preview")["jobs"]
    assert holds(preview["stacks"]["if"], EVENT)
    assert not holds(preview["stacks"]["if"], replace(EVENT, github=fork))
    none = replace(EVENT, needs={"stacks": {"outputs": {"all": "[]", "previews": "[]", "first": ""}}})
    for name in (*CHANGES_A_STACK, "preview"):
        assert not holds(load(name)["jobs"][name]["if"], none)
        assert holds(load(name)["jobs"][name]["if"], EVENT)


def test_the_labels_of_a_pull_request_start_a_new_preview() -> None:
    assert {"labeled", "unlabeled"} <= set(load("preview")["on"]["pull_request"]["types"])


def test_training_is_daily_and_drift_is_looked_for_by_the_clock() -> None:
    [training] = load("retrain")["on"]["schedule"]
    assert re.fullmatch(r"\d+ \d+ \* \* \*", training["cron"])
    assert load("resource-drift")["on"]["schedule"]
