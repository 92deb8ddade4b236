"""GitHub's workflows: their permissions, and what their shell steps run, with stand-ins for the commands."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.paths import ROOT

FOLDER = ROOT / ".github" / "workflows"
NAMES = sorted(file.stem for file in FOLDER.glob("*.yml"))
WRITES = {
    "preview": {"id-token", "pull-requests"},
    "deploy": {"id-token", "issues"},
    "nightly": {"id-token", "issues"},
    "pause-resume": {"id-token"},
    "destroy": {"id-token"},
}
"""Write permissions of each workflow, over all its jobs; it may at most read everything else."""
REVIEWED = "${{ inputs.stack }}"
ENVIRONMENTS = {
    "preview": "${{ matrix.stack }}-preview",
    "deploy": "${{ inputs.stack || fromJSON(vars.STACKS || '[\"\"]')[0] }}",
    "nightly": "${{ matrix.stack }}-nightly",
    "pause-resume": REVIEWED,
    "destroy": REVIEWED,
}
"""What decides whether somebody must approve, and which identity a job gets: bootstrap sets it up by these names."""
TITLE = "The gate rejected a model of stack dev"
DRIFT = "Stack dev differs from its deployment"
STAND_IN = """#!{python}
import json, os, subprocess, sys
from pathlib import Path

folder, words = Path({folder!r}), sys.argv[1:]
calls = folder / "calls.json"
known = json.loads(calls.read_text()) if calls.exists() else []
calls.write_text(json.dumps([*known, [Path(sys.argv[0]).name, *words]]))
name = " ".join(words[:2]) if sys.argv[0].endswith("gh") else words[0]
answer = json.loads((folder / "answers.json").read_text()).get(name, {{}})
for option in ("--body-file",):
    if option in words:
        (folder / "body.md").write_text(Path(words[words.index(option) + 1]).read_text())
text = answer.get("said", "")
if "--jq" in words:
    text = subprocess.run(
        ["jq", "-r", words[words.index("--jq") + 1]], input=text or "[]", capture_output=True, text=True, check=True
    ).stdout
print(text, end="")
sys.exit(answer.get("code", 0))
"""

needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq, which stands in for that of `gh`")


def load(name: str) -> dict[str, Any]:
    """A workflow by its file's name. YAML 1.1 reads the key `on` as `true`."""
    content: dict[Any, Any] = yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"))
    content["on"] = content.pop(True)
    return content


def signed_in(name: str) -> list[dict[str, Any]]:
    """The jobs of a workflow that get an identity on Azure."""
    return [job for job in load(name)["jobs"].values() if job["permissions"].get("id-token") == "write"]


@dataclass
class Runner:
    """A folder with stand-ins for `personalize` and `gh`, which give these answers by their first words."""

    folder: Path

    def run(self, name: str, step: str, answers: dict[str, dict[str, Any]] | None = None, **variables: str) -> int:
        """Run a shell step of the workflow's job that signs in; returns its exit code."""
        (self.folder / "answers.json").write_text(json.dumps(answers or {}))
        (self.folder / "calls.json").unlink(missing_ok=True)
        [job] = signed_in(name)
        [text] = [one["run"] for one in job["steps"] if step in (one.get("name"), one.get("run"))]
        own = {"STACK": "dev", "GH_REPO": "owner/it", "GITHUB_SHA": "abc", "NUMBER": "7", "GITHUB_RUN_ID": "99"}
        own |= {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md")}
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-c", text],
            cwd=self.folder,
            env={**os.environ, **own, "PATH": path, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        self.said = done.stdout + done.stderr
        return done.returncode

    def calls(self, program: str) -> list[str]:
        """How a program was called, without the last options of `gh`."""
        file = self.folder / "calls.json"
        known: list[list[str]] = json.loads(file.read_text()) if file.exists() else []
        return [" ".join(words) for name, *words in known if name == program]

    @property
    def body(self) -> str:
        """The last text that was given to GitHub."""
        return (self.folder / "body.md").read_text()


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    git: Callable[..., object] = lambda *words: subprocess.run(["git", *words], cwd=tmp_path, check=True)  # noqa: E731
    git("init", "-q")
    git("add", "Pulumi.dev.yaml")
    for message in ("before", "after"):
        git("-c", "user.name=x", "-c", "user.email=x@y", "commit", "-q", "--allow-empty", "-m", message)
    for program in (tmp_path / ".venv" / "bin" / "personalize", tmp_path / "bin" / "gh"):
        program.parent.mkdir(parents=True)
        program.write_text(STAND_IN.format(python=sys.executable, folder=str(tmp_path)))
        program.chmod(0o755)
    return Runner(tmp_path)


def test_the_page_about_github_has_every_workflow() -> None:
    page = (ROOT / "docs" / "how-to" / "github.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `([a-z-]+)` \|.*$", page, re.MULTILINE)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_has_no_permission_and_its_jobs_those_that_they_name(name: str) -> None:
    content = load(name)
    assert content["permissions"] == {}
    given = [job["permissions"] for job in content["jobs"].values()]
    assert {scope for one in given for scope, level in one.items() if level == "write"} == WRITES.get(name, set())
    assert "secrets" not in (FOLDER / f"{name}.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", WRITES)
def test_a_job_with_an_identity_has_its_stacks_environment_to_itself(name: str) -> None:
    [job] = signed_in(name)
    assert job["environment"] == ENVIRONMENTS[name]
    assert job["env"]["STACK"] == ENVIRONMENTS[name].removesuffix("-preview").removesuffix("-nightly")
    assert [step for step in job["steps"] if "actions/cache" in str(step)] == [], "others could have left code in it"
    if name != "preview":  # which changes nothing
        assert job["concurrency"] == {"group": f"stack-{job['env']['STACK']}", "cancel-in-progress": False}


def test_a_deployment_needs_a_green_check_of_its_own_commit() -> None:
    content = load("deploy")
    assert content["on"]["push"] == {"branches": ["main"]}
    assert content["jobs"]["check"]["uses"] == "./.github/workflows/check.yml"
    assert content["jobs"]["check"]["if"] == "github.event_name == 'push' || inputs.action == 'deploy'"
    assert content["jobs"]["deploy"]["needs"] == "check"
    assert "needs.check.result == 'success' || needs.check.result == 'skipped'" in content["jobs"]["deploy"]["if"]


def test_a_fork_gets_no_identity_and_a_label_starts_a_new_preview() -> None:
    content = load("preview")
    own = "github.event.pull_request.head.repo.full_name == github.repository"
    assert content["jobs"]["preview"]["if"] == f"vars.STACKS && {own}"
    assert {"labeled", "unlabeled", "synchronize"} <= set(content["on"]["pull_request"]["types"])


@pytest.mark.parametrize("name", ["check", "preview"])
def test_one_check_to_require_fails_if_another_job_did(name: str) -> None:
    jobs = load(name)["jobs"]
    last = jobs["passed"]
    assert set(last["needs"]) == jobs.keys() - {"passed"}
    assert last["name"] in (ROOT / "docs" / "how-to" / "github.md").read_text(encoding="utf-8")
    assert last["if"] == "always()"
    [step] = last["steps"]
    assert step == {
        "if": "contains(needs.*.result, 'failure') || contains(needs.*.result, 'cancelled')",
        "run": "exit 1",
    }


def pulls(*labels: str, merged: str | None = "2026-11-25") -> dict[str, dict[str, Any]]:
    """GitHub's answer about the pull requests of the commit."""
    found = [{"merged_at": merged, "labels": [{"name": label} for label in labels]}]
    return {"api repos/owner/it/commits/abc/pulls": {"said": json.dumps(found)}}


@needs_jq
@pytest.mark.parametrize(
    ("found", "option"),
    [
        (pulls("bug", "replaces-data"), ""),
        (pulls("bug"), " --refuse-data-loss"),
        (pulls("no-replaces-data-here"), " --refuse-data-loss"),
        (pulls("replaces-data", merged=None), " --refuse-data-loss"),
        ({}, " --refuse-data-loss"),
    ],
    ids=["allowed", "another label", "a similar label", "not merged", "no pull request"],
)
def test_a_deployment_may_lose_data_only_if_its_merged_pull_request_said_so(
    runner: Runner, found: dict[str, dict[str, Any]], option: str
) -> None:
    assert runner.run("deploy", "deploy", found) == 0
    assert runner.calls("personalize") == [f"up --stack dev --yes --json{option}"]


@needs_jq
@pytest.mark.parametrize(("name", "step"), [("deploy", "retrain"), ("nightly", "train on new data")])
def test_a_rejected_model_is_one_issue_until_a_later_one_is_accepted(runner: Runner, name: str, step: str) -> None:
    rejected: dict[str, dict[str, Any]] = {
        "up": {"code": 3},
        "models": {"said": "version 5: The log loss is higher.\n"},
    }
    opened: dict[str, dict[str, Any]] = {
        "issue list": {"said": json.dumps([{"number": 8, "title": f"{TITLE}!"}, {"number": 9, "title": TITLE}])}
    }
    assert runner.run(name, step, rejected) != 0
    assert runner.calls("personalize") == ["up --stack dev --yes --json --if-new-data", "models --stack dev"]
    assert runner.calls("gh")[1].startswith(f"issue create --title {TITLE}")
    assert "version 5: The log loss is higher." in runner.body
    assert "https://github.com/owner/it/actions/runs/99" in runner.body
    [page] = re.findall(r"docs/[\w/-]+\.md", runner.body)
    assert (ROOT / page).is_file()
    assert runner.run(name, step, rejected | opened) != 0
    assert runner.calls("gh")[1].startswith("issue edit 9 --body-file")
    assert runner.run(name, step, opened | {"up": {"said": '{"skipped": "No new data"}'}}) == 0
    assert runner.calls("gh") == [], "no later model was accepted"
    assert runner.run(name, step, opened | {"up": {"code": 1}}) != 0
    assert runner.calls("gh") == []
    assert runner.run(name, step, opened | {"up": {"said": '{"outputs": {}}'}}) == 0
    assert runner.calls("gh")[1].startswith("issue close 9 ")


@needs_jq
def test_a_difference_from_the_deployment_is_one_issue_until_it_is_gone(runner: Runner) -> None:
    step = "compare the resources with the deployment"
    differs: dict[str, dict[str, Any]] = {"preview": {"said": "new       node-cpu (MetricAlert)\n", "code": 1}}
    assert runner.run("nightly", step, differs) == 1
    assert runner.calls("personalize") == ["preview --stack dev --refresh --expect-no-changes"]
    assert runner.calls("gh")[1].startswith(f"issue create --title {DRIFT}")
    assert "node-cpu (MetricAlert)" in runner.body
    [file] = re.findall(r"`(personalize/[\w/]+\.py)`", runner.body)
    assert "HARMLESS = " in (ROOT / file).read_text(encoding="utf-8")
    assert runner.run("nightly", step, {"preview": {"code": 1}}) == 1, "not even a plan"
    assert runner.calls("gh") == []
    opened = {"issue list": {"said": json.dumps([{"number": 3, "title": DRIFT}])}}
    assert runner.run("nightly", step, opened | {"preview": {"said": "100 unchanged\n"}}) == 0
    assert runner.calls("gh")[1].startswith("issue close 3 ")


def test_a_paused_stack_is_left_alone_and_keeps_no_pull_request_from_being_merged(runner: Runner) -> None:
    paused: dict[str, dict[str, Any]] = {"up": {"code": 4}, "preview": {"code": 4}}
    assert runner.run("nightly", "train on new data", paused) == 0
    assert runner.run("nightly", "compare the resources with the deployment", paused) == 0
    assert runner.calls("gh") == []
    assert runner.run("deploy", "retrain", paused) == 4


@needs_jq
def test_a_preview_comments_once_and_is_blocked_until_the_label_is_there(runner: Runner) -> None:
    answers: dict[str, dict[str, Any]] = {
        "preview": {"said": "replaced  lake (StorageAccount): location; this deletes the training data\n", "code": 1},
        "estimate": {"said": "tables\ndev less before.yaml: +82.25 USD a month\n"},
        "pr view": {"said": '{"labels": [{"name": "bug"}]}'},
    }
    comments = "api --paginate"
    assert runner.run("preview", "plan", answers) == 1
    assert runner.calls("personalize") == [
        "preview --stack dev --known-data --refuse-data-loss",
        "estimate --stack dev --compare before.yaml",
    ]
    assert (runner.folder / "before.yaml").read_text() == "config: {}\n"
    assert runner.calls("gh")[-1].startswith("pr comment 7 ")
    assert runner.body.startswith("<!-- plan of dev -->\n## Changes of stack `dev`\n")
    assert "replaced  lake" in runner.body
    assert "Blocked until this pull request has the label `replaces-data`" in runner.body
    assert "<summary>dev less before.yaml: +82.25 USD a month</summary>" in runner.body
    mark = "<!-- plan of dev --> before"
    known = [
        {"id": 1, "user": {"type": "User"}, "body": mark},
        {"id": 2, "user": {"type": "Bot"}, "body": "<!-- plan of prod -->"},
        {"id": 3, "user": {"type": "Bot"}, "body": mark},
    ]
    allowed = {"pr view": {"said": '{"labels": [{"name": "replaces-data"}]}'}, "preview": {"said": "replaced  lake\n"}}
    assert runner.run("preview", "plan", answers | allowed | {comments: {"said": json.dumps(known)}}) == 0
    assert runner.calls("personalize")[0] == "preview --stack dev --known-data"
    assert runner.calls("gh")[-1].startswith("api --silent --method PATCH repos/owner/it/issues/comments/3 ")
    assert "Blocked" not in (runner.folder / "comment.md").read_text()


def test_a_version_is_served_until_the_next_deployment_and_the_summary_says_what_keeps_it(runner: Runner) -> None:
    assert runner.run("deploy", "serve", VERSION="3") == 0
    assert runner.calls("personalize") == ["serve 3 --stack dev"]
    assert "`  personalization:model_version: 3`" in (runner.folder / "summary.md").read_text()


@pytest.mark.parametrize("typed", ["", "prod", "DEV", "dev ", "$(id)"])
def test_a_wrong_name_destroys_nothing(runner: Runner, typed: str) -> None:
    assert runner.run("destroy", "destroy", CONFIRM=typed, DELETE_DATA="true") == 1
    assert runner.calls("personalize") == []
    assert f"You typed '{typed}'" in runner.said


@pytest.mark.parametrize(("delete_data", "options"), [("true", " --delete-data"), ("false", "")])
def test_the_right_name_destroys_saves_the_models_first_and_asks_again_for_the_lake(
    runner: Runner, delete_data: str, options: str
) -> None:
    assert runner.run("destroy", "destroy", {"destroy": {"code": 1}}, CONFIRM="dev", DELETE_DATA=delete_data) == 1
    assert runner.calls("personalize") == [f"destroy --stack dev --keep-data --yes{options}"]
