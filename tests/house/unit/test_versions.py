"""Versions that are written in two places agree, and third-party code is kept up to date.

zizmor checks that the actions are pinned.
"""

import json
import re
import subprocess
import tomllib

import yaml

from steps.image_content import RECIPE
from tools import versions
from tools.paths import ROOT


def test_the_pulumi_module_is_the_pinned_release() -> None:
    module = (ROOT / "tools" / "pulumi" / "go.mod").read_text()

    assert f"github.com/pulumi/pulumi/pkg/v3 v{versions.PULUMI}" in module


def test_the_oldest_go_is_the_one_that_the_pulumi_module_requires() -> None:
    module = (ROOT / "tools" / "pulumi" / "go.mod").read_text()

    assert f"\ngo {versions.GO}\n" in module


def test_jars_and_package_of_synapseml_are_one_release() -> None:
    jars = json.loads((ROOT / "training" / "jars.json").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert {jar["version"] for jar in jars if jar["group"] == "com.microsoft.azure"} == {versions.SYNAPSEML}
    assert f"synapseml=={versions.SYNAPSEML}" in project["optional-dependencies"]["local"]


def test_the_jars_match_the_runtimes_scala() -> None:
    jars = json.loads((ROOT / "training" / "jars.json").read_text())

    assert {jar["artifact"].partition("_")[2] for jar in jars} == {"", versions.SCALA}


def test_spark_matches_the_databricks_runtime() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    assert any(requirement.startswith(f"pyspark=={versions.SPARK}.") for requirement in extras["local"])


def test_python_matches_the_databricks_runtime() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["requires-python"].startswith(f">={versions.PYTHON},")


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
