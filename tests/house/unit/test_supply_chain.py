"""Third-party code that runs for the repository is kept up to date; zizmor checks that the actions are pinned."""

import re
import subprocess

import yaml

from steps.shared.base_images import RECIPE
from tools.paths import ROOT

FOLDER = ROOT / ".github"


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
    content = yaml.safe_load((FOLDER / "dependabot.yml").read_text(encoding="utf-8"))
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
