"""The repository's variables are the only list of stacks: all of them go together, or none is set."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from personalize.delivery.stacks import Stacks, VariablesError, require_listed, stacks_of
from tests.personalize.delivery.workflow import Event, load, shells
from tools.paths import ROOT

IDENTITY = {"ARM_TENANT_ID": "t", "ARM_SUBSCRIPTION_ID": "s"}
BOTH = IDENTITY | {"STACKS": '["dev", "prod"]'}


def test_a_repository_lists_its_stacks_and_previews_the_first_alone() -> None:
    assert stacks_of(BOTH) == Stacks(listed=("dev", "prod"), previewed=("dev",))
    assert stacks_of(BOTH | {"PREVIEW_STACKS": '["prod"]'}).previewed == ("prod",)


def test_a_fork_has_none_of_the_variables() -> None:
    assert stacks_of({"STACKS": "", "ARM_TENANT_ID": ""}) == Stacks()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"STACKS": '["dev"]'}, r"has `STACKS`, but not `ARM_TENANT_ID`, `ARM_SUBSCRIPTION_ID`\. .*github\.md"),
        (IDENTITY, r"has `ARM_TENANT_ID`, `ARM_SUBSCRIPTION_ID`, but not `STACKS`"),
        ({"PREVIEW_STACKS": '["dev"]'}, "has `PREVIEW_STACKS`, but not"),
        (BOTH | {"STACKS": "dev"}, r"STACKS is 'dev', not a list such as"),
        (BOTH | {"STACKS": "[]"}, r"STACKS is '\[\]', not a list"),
        (BOTH | {"STACKS": '["dev", "test"]'}, "names `test`, which has no stack file"),
        (BOTH | {"PREVIEW_STACKS": '["test"]'}, "PREVIEW_STACKS names `test`, which STACKS does not"),
    ],
)
def test_variables_that_do_not_go_together_are_a_sentence(given: dict[str, str], said: str) -> None:
    with pytest.raises(VariablesError, match=said):
        stacks_of(given)


def test_an_environment_that_is_no_stack_is_refused() -> None:
    require_listed(stacks_of(BOTH), "prod")
    require_listed(stacks_of(BOTH), "")
    with pytest.raises(VariablesError, match=r"dev-nightly is not a stack of this repository; .* `dev`, `prod`"):
        require_listed(stacks_of(BOTH), "dev-nightly")


@pytest.mark.parametrize(
    ("variables", "chosen", "code", "said", "outputs"),
    [
        (BOTH, "", 0, "stacks: dev, prod", {"all": ["dev", "prod"], "previews": ["dev"], "first": "dev"}),
        ({}, "", 0, "::notice::No variable", {"all": [], "previews": [], "first": ""}),
        (IDENTITY, "", 2, "::error::The repository has", {}),
        (BOTH, "test", 2, "::error::test is not a stack", {}),
    ],
    ids=["two", "none", "some", "another"],
)
def test_the_workflow_s_step_gives_the_other_jobs_the_list(  # noqa: PLR0917 - the columns of the table
    tmp_path: Path, variables: dict[str, str], chosen: str, code: int, said: str, outputs: dict[str, object]
) -> None:
    """With the machine's own Python, before anything is installed."""
    [step] = shells(load("stacks"), Event(vars=variables, inputs={"stack": chosen}))
    file = tmp_path / "outputs"
    done = step.start(ROOT, GITHUB_OUTPUT=str(file), PATH=os.defpath, MAKELEVEL="0", MAKEFLAGS="")
    assert (done.returncode, done.stdout.startswith(said)) == (code, True), done
    lines = file.read_text().splitlines() if file.exists() else []
    found = {name: value for name, _, value in (line.partition("=") for line in lines)}
    assert {name: value if name == "first" else json.loads(value) for name, value in found.items()} == outputs


def test_the_lists_need_no_packages() -> None:
    for module in ("stacks", "checked"):
        code = f"import sys; import personalize.delivery.{module}; print(*sys.modules, sep='\\n')"
        done = subprocess.run(["python3", "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        assert "typer" not in done.stdout.split()
