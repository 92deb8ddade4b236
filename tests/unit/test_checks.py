"""The commands of the project are the same on a laptop and in CI."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from infra.paths import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def steps(workflow: str) -> list[dict[str, str]]:
    jobs = yaml.safe_load(workflow)["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


def test_make_alone_lists_every_target():
    listed = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, check=True, text=True).stdout

    assert {line.split()[0] for line in listed.splitlines()} == make_targets()


def test_every_target_is_phony_so_that_no_file_hides_it():
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert phony
    assert set(phony[1].split()) == make_targets()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_the_targets_of_the_makefile(path: Path):
    targets = {step["run"].removeprefix("make ") for step in steps(path.read_text()) if "run" in step}

    assert targets
    assert targets <= make_targets()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_pins_every_action_to_a_commit_and_names_its_release(path: Path):
    uses = re.findall(r"uses: (.*)", path.read_text())

    assert uses
    assert [line for line in uses if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", line)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read(path: Path):
    assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}


def test_ci_runs_tests_style_and_types():
    runs = re.findall(r"^run make ([a-z-]+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)

    assert runs == ["test", "lint", "types"]


def test_the_readme_s_test_command_is_the_one_that_ci_runs():
    assert "make test" in (ROOT / "README.md").read_text()
