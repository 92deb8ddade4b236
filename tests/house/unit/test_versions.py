"""Versions that are written in two places agree."""

import json
import tomllib

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
