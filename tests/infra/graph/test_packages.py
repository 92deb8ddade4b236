"""Shipped packages are complete: the image has every library the service imports, the Databricks wheel all our code."""

import ast
import io
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest

from steps.shared.job_libraries import job_libraries
from tools.paths import ROOT
from training.parameters import Fit

IMPORTED_AS = {
    "prometheus-client": "prometheus_client",
    "synapseml": "synapse",
}
"""Import names of distributions whose package has another name."""
OWN = ("scoring", "recommend", "features")


def image_packages() -> set[str]:
    """Packages that the service's images contain, from their dependency groups."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    entries = [entry for name in ("image", "image-spark") for entry in groups[name]]
    names = {entry.replace("=", ">").partition(">")[0] for entry in entries if isinstance(entry, str)}
    return {IMPORTED_AS.get(name, name) for name in names}


def imported(file: Path) -> Iterator[str]:
    """All modules that a file imports, at any level, and the names that it imports from them."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_file(module: str) -> Path | None:
    """The file of one of our modules, or of the module that defines the name."""
    place = ROOT.joinpath(*module.split("."))
    candidates = (place.with_suffix(".py"), place / "__init__.py", place.parent.with_suffix(".py"))
    return next((file for file in candidates if file.is_file()), None)


def reached() -> dict[Path, set[str]]:
    """Each of our files that the service imports, with the third-party packages that the file imports."""
    waiting, found = sorted((ROOT / "scoring").rglob("*.py")), dict[Path, set[str]]()
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        modules = set(imported(file))
        found[file] = {module.partition(".")[0] for module in modules if not module.startswith(OWN)}
        waiting += [own for module in modules if module.startswith(OWN) and (own := own_file(module))]
    return found


def test_the_service_imports_nothing_that_its_image_does_not_hold() -> None:
    held = image_packages() | set(sys.stdlib_module_names)
    assert {"msgspec", "lightgbm", "prometheus_client", "synapse"} <= held
    files = reached()
    assert ROOT / "features" / "encoder.py" in files
    missing = {str(file): found - held for file, found in files.items()}
    assert {file: names for file, names in missing.items() if names} == {}


def test_the_wheel_of_databricks_holds_its_packages_and_its_entry_point() -> None:
    pytest.importorskip("hatchling", reason="needs `uv sync --inexact --extra azure`")
    from steps.shared.wheel import build_wheel  # noqa: PLC0415 - an extra

    with zipfile.ZipFile(io.BytesIO(build_wheel().content)) as wheel:
        files = set(wheel.namelist())
        (entry_points,) = [name for name in files if name.endswith(".dist-info/entry_points.txt")]
        declared = ConfigParser()
        declared.read_string(wheel.read(entry_points).decode())
    held = {"features", "recommend", "training"}
    for package in held:
        sources = {str(file.relative_to(ROOT)) for file in (ROOT / package).rglob("*.py")}
        assert sources
        assert sources <= files
    module, _, function = declared["console_scripts"]["train"].partition(":")
    assert f"{module.replace('.', '/')}.py" in files
    assert f"def {function}(" in (ROOT / f"{module.replace('.', '/')}.py").read_text()
    assert {name.split("/")[0] for name in files if not name.startswith("personalization-")} == held


@pytest.mark.parametrize("fit", list(Fit))
def test_only_a_fit_by_synapseml_installs_it(fit: Fit) -> None:
    found = job_libraries("/Volumes/dev/training", fit)
    wheels = [wheel.name for wheel in found.wheels if wheel.name.startswith("synapseml-")]
    assert bool(wheels) is bool(found.jars) is (fit is Fit.SYNAPSEML)
