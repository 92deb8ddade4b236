"""The workflow `deploy`: what it deploys, after which checks; and the checks that a repository requires."""

from dataclasses import replace

import pytest

from tests.personalize.delivery.test_workflows import EVENT
from tests.personalize.delivery.workflow import load, shells
from tools.paths import ROOT


def test_each_push_deploys_the_first_stack_of_the_list() -> None:
    [step] = [step for step in shells(load("deploy"), replace(EVENT, inputs={})) if step.run == "make deploy"]
    assert step.env["STACK"] == "dev"


def deploys(check: str, *, first: str = "dev") -> bool:
    """Whether `deploy` brings a stack up, after the job `check` had this result."""
    needs = {"check": {"result": check}, "stacks": {"outputs": {"first": first}}}
    return any(step.run == "make deploy" for step in shells(load("deploy"), replace(EVENT, needs=needs)))


def test_a_deployment_needs_a_green_check_of_its_own_commit() -> None:
    content = load("deploy")
    assert set(content["jobs"]["deploy"]["needs"]) == {"stacks", "check"}
    assert content["jobs"]["check"]["uses"] == "./.github/workflows/check.yml"
    assert "workflow_call" in load("check")["on"]
    assert content["on"]["push"] == {"branches": ["main"]}
    assert deploys("success")
    assert not deploys("failure")
    assert not deploys("skipped")
    assert not deploys("success", first="")


@pytest.mark.parametrize("name", ["check", "preview"])
def test_one_check_to_require_fails_if_another_job_did(name: str) -> None:
    jobs = load(name)["jobs"]
    last = jobs["passed"]
    assert set(last["needs"]) == jobs.keys() - {"passed"}
    assert last["name"] in (ROOT / "docs" / "how-to" / "github.md").read_text(encoding="utf-8")
    assert last["if"] == "always()"
    for results, code in ((("success", "skipped"), 0), (("success", "failure"), 2), (("cancelled", "success"), 2)):
        needs = {str(number): {"result": result, "outputs": {}} for number, result in enumerate(results)}
        step = shells({"jobs": {"passed": last}}, replace(EVENT, needs=needs))[-1]
        assert step.start(ROOT).returncode == code
