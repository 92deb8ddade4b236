"""Commands of the project are the same on a laptop and in CI."""

import re
import subprocess

from tests.personalize.delivery.workflow import FOLDER
from tests.support.commands import MAKEFILE, make_targets
from tools.paths import ROOT


def test_make_alone_lists_every_target() -> None:
    listed = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, check=True, text=True).stdout

    assert {line.split()[0] for line in listed.splitlines()} == make_targets()


def test_every_target_is_phony_so_that_no_file_hides_it() -> None:
    phony = " ".join(re.findall(r"^\.PHONY: (.*)$", MAKEFILE.read_text(), re.MULTILINE))

    assert set(phony.split()) == make_targets()


def test_ci_and_the_workflow_run_the_same_beside_what_needs_a_pull_request_or_a_registry() -> None:
    runs = re.findall(r"^run(?:_in_time)? make ([a-z-]+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    workflow = re.findall(r"- run: make ([a-z-]+)$", (FOLDER / "check.yml").read_text(), re.MULTILINE)

    assert runs == ["test", "lint", "types", "workflows", "docs", "simulate", "mutants-sample", "test-rotating"]
    assert sorted([*workflow, "test-rotating"]) == sorted([*runs, "passed", "test-new", "test-image"])


def test_the_readme_s_test_command_is_the_one_that_ci_runs() -> None:
    assert "make test" in (ROOT / "README.md").read_text()
