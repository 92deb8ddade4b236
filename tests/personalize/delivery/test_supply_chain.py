"""Third-party code that runs for the repository: pinned, kept up to date, and from no shared cache."""

import re
import subprocess

import yaml

from steps.shared.base_images import RECIPE
from tests.personalize.delivery.workflow import FOLDER, jobs
from tools.paths import ROOT


def uses() -> list[str]:
    lines = [line for file in FOLDER.glob("*.yml") for line in file.read_text(encoding="utf-8").splitlines()]
    return [line.split("uses:")[1].strip() for line in lines if re.match(r"\s*(- )?uses:", line)]


def test_every_action_is_pinned_by_commit_with_its_version_beside_it() -> None:
    others = [line for line in uses() if not line.startswith("./")]
    assert others
    assert [line for line in others if not re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []


def test_an_action_has_one_pin_everywhere() -> None:
    pins: dict[str, set[str]] = {}
    for line in uses():
        pins.setdefault(line.partition("@")[0], set()).add(line)
    assert [name for name, found in pins.items() if len(found) > 1] == []


def test_a_job_with_an_identity_runs_nothing_that_another_job_left_in_a_cache() -> None:
    signed_in = [job for _, job in jobs() if job["permissions"].get("id-token") == "write"]
    assert len(signed_in) == 8
    assert [step for job in signed_in for step in job["steps"] if "actions/cache" in str(step)] == []


def test_the_image_stands_on_digests_that_dependabot_finds() -> None:
    """Dependabot resolves no build arguments in FROM lines (dependabot/dependabot-core#2057)."""
    stages: set[str] = set()
    bases: list[str] = []
    for base, stage in re.findall(r"^FROM (\S+)(?: AS (\S+))?$", (ROOT / RECIPE).read_text(), re.MULTILINE):
        bases += [] if base in stages else [base]
        stages.add(stage)
    assert len(bases) == 2
    assert [base for base in bases if not re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", base)] == []


def test_every_folder_with_pinned_packages_is_updated() -> None:
    content = yaml.safe_load((FOLDER.parent / "dependabot.yml").read_text(encoding="utf-8"))
    covered = {
        (entry["package-ecosystem"], folder)
        for entry in content["updates"]
        for folder in entry.get("directories", [entry.get("directory")])
    }
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    kinds = {"uv.lock": "uv", "go.mod": "gomod", "package-lock.json": "npm", "Dockerfile": "docker"}
    for path in listed:
        folder, _, name = ("/" + path).rpartition("/")
        if name in kinds:
            parent = folder.rpartition("/")[0]
            assert {(kinds[name], folder or "/"), (kinds[name], f"{parent}/*")} & covered, path
    assert ("github-actions", "/") in covered
    assert all(entry["cooldown"]["default-days"] >= 7 for entry in content["updates"])


def test_every_path_that_has_an_owner_is_there() -> None:
    lines = (FOLDER.parent / "CODEOWNERS").read_text(encoding="utf-8").splitlines()
    paths = [line.split()[0] for line in lines if line and not line.startswith("#")]
    assert paths
    assert [path for path in paths if not (ROOT / path.strip("/")).exists()] == []
