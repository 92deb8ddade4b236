"""The code's hashes: they change with what a step runs and with nothing else."""

from pathlib import Path

import pytest

from steps.shared.code_hash import (
    SERVING_PACKAGES,
    TRAINING_PACKAGES,
    serving_code_hash,
    source_files,
    training_code_hash,
)
from tools.paths import ROOT

LOCK = """
[[package]]
name = "{name}"
version = "{version}"
"""
LIBRARIES = (
    "lightgbm", "msgspec", "numpy", "pandas", "pyarrow", "pyspark", "scikit-learn", "starlette", "synapseml",
    "uvicorn", "xxhash",
)  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for package in {*TRAINING_PACKAGES, *SERVING_PACKAGES}:
        (tmp_path / package).mkdir()
        (tmp_path / package / "code.py").write_text(f"# {package}\n")
    lock(tmp_path)
    return tmp_path


def lock(project: Path, **versions: str) -> None:
    """Write a lock file with version 1 of every library, but for those that are named."""
    text = "".join(LOCK.format(name=name, version=versions.get(name, "1")) for name in LIBRARIES)
    (project / "uv.lock").write_text(text)


def hashes(project: Path) -> tuple[str, str]:
    """Hash of the training code, hash of the serving code."""
    return training_code_hash(project), serving_code_hash(project)


@pytest.mark.parametrize(
    ("package", "changes"),
    [("training", (True, False)), ("scoring", (False, True)), ("features", (True, True))],
)
def test_an_edit_changes_the_hashes_of_what_runs_it(project: Path, package: str, changes: tuple[bool, bool]) -> None:
    before = hashes(project)
    (project / package / "code.py").write_text("# edited\n")
    after = hashes(project)
    assert (before[0] != after[0], before[1] != after[1]) == changes


@pytest.mark.parametrize(
    ("library", "changes"), [("scikit-learn", (True, False)), ("uvicorn", (False, True)), ("lightgbm", (True, True))]
)
def test_an_upgrade_changes_the_hashes_of_what_uses_it(project: Path, library: str, changes: tuple[bool, bool]) -> None:
    before = hashes(project)
    lock(project, **{library: "2"})
    after = hashes(project)
    assert (before[0] != after[0], before[1] != after[1]) == changes


def test_a_renamed_file_changes_the_hash(project: Path) -> None:
    before = hashes(project)
    (project / "training" / "code.py").rename(project / "training" / "other.py")
    assert hashes(project)[0] != before[0]


def test_compiled_and_hidden_files_do_not_count(project: Path) -> None:
    before = hashes(project)
    (project / "training" / "__pycache__").mkdir()
    (project / "training" / "__pycache__" / "code.cpython-311.pyc").write_bytes(b"compiled")
    (project / "training" / ".code.py.swp").write_bytes(b"an editor's")
    assert hashes(project) == before


def test_every_module_of_the_packages_counts() -> None:
    counted = {file.relative_to(ROOT).as_posix() for file in source_files(ROOT, TRAINING_PACKAGES)}
    assert {"training/__main__.py", "training/datasets/__init__.py", "features/encoder.py"} <= counted
