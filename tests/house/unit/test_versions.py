"""Versions that are written in two places agree, and third-party code is kept up to date.

zizmor checks that the actions are pinned.
"""

import json
import re
import subprocess

import pytest
import yaml

from steps.image_content import RECIPE
from tools import versions
from tools.paths import ROOT


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("tools/pulumi/go.mod", f"github.com/pulumi/pulumi/pkg/v3 v{versions.PULUMI}"),
        ("tools/pulumi/go.mod", f"\ngo {versions.GO}\n"),
        ("pyproject.toml", f'"synapseml=={versions.SYNAPSEML}"'),
        ("pyproject.toml", f'"pyspark=={versions.SPARK}.'),
        ("pyproject.toml", f'requires-python = ">={versions.PYTHON},'),
    ],
)
def test_another_file_has_the_same_version(file: str, text: str) -> None:
    assert text in (ROOT / file).read_text()


def test_the_jars_are_those_of_synapseml_for_the_runtimes_scala() -> None:
    jars = json.loads((ROOT / "training" / "jars.json").read_text())
    assert {jar["version"] for jar in jars if jar["group"] == "com.microsoft.azure"} == {versions.SYNAPSEML}
    assert {jar["artifact"].partition("_")[2] for jar in jars} == {"", versions.SCALA}


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
    content = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))
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
