"""Every version is written in one place."""

import ast
import json
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

from tools import versions
from tools.paths import ROOT
from training.runtime import JAVA_MAJOR

LITERALS = {name: value for name, value in vars(versions).items() if name.isupper() and isinstance(value, str)}
PRODUCT = ("features/", "training/", "scoring/", "infra/", "tools/", ".github/", ".ci/", "Makefile", "Pulumi")


def tracked_files() -> list[str]:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [name for name in listing.splitlines() if name.startswith(PRODUCT) and (ROOT / name).is_file()]


def strings_in_code(source: str) -> str:
    """All string literals of a Python source, without docstrings, one per line."""
    tree = ast.parse(source)
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in documentation)
    return "\n".join(node.value for node in constants if isinstance(node.value, str))


def lines_without_comments(text: str) -> str:
    return re.sub(r"(^|\s)#.*", "", text)


def repeats(value: str, text: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(value)}(?![\w]|\.\d)", text) is not None


@cache
def text_to_search(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return strings_in_code(text) if path.suffix == ".py" else lines_without_comments(text)


@pytest.mark.parametrize("name", sorted(LITERALS))
def test_a_version_is_written_once(name: str) -> None:
    searched = {file for file in tracked_files() if file.endswith((".py", ".sh", ".yaml", ".yml", "Makefile", "run"))}
    searched -= {"tools/versions.py"}

    copies = [file for file in sorted(searched) if repeats(LITERALS[name], text_to_search(ROOT / file))]

    assert not copies, f"{name} = {LITERALS[name]} is repeated; import it from tools.versions"


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


def test_training_and_infra_use_the_same_java() -> None:
    assert versions.JAVA == JAVA_MAJOR
