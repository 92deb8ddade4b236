"""Code hashes and locked versions change only with what a step runs."""

from pathlib import Path

import pytest

from steps.image_content import SERVING_PACKAGES, serving_code_hash
from steps.job_libraries import SERVING_LIBRARIES, TRAINING_LIBRARIES, locked_versions
from training.provenance import PACKAGES, code_hash

LOCK = """
[[package]]
name = "{name}"
version = "{version}"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for package in {*PACKAGES, *SERVING_PACKAGES}:
        (tmp_path / package).mkdir()
        (tmp_path / package / "code.py").write_text(f"# {package}\n")
    return tmp_path


def lock(project: Path, **versions: str) -> None:
    """Write a lock file with version 1 of every library, except for the named ones."""
    libraries = sorted({*TRAINING_LIBRARIES, *SERVING_LIBRARIES})
    text = "".join(LOCK.format(name=name, version=versions.get(name, "1")) for name in libraries)
    (project / "uv.lock").write_text(text)


def hashes(project: Path) -> tuple[str, str]:
    """The hashes of the training code and of the serving code."""
    return code_hash(PACKAGES, project), serving_code_hash(project)


@pytest.mark.parametrize(
    ("package", "changes"),
    [("training", (True, False)), ("scoring", (False, True)), ("features", (True, True)), ("recommend", (True, True))],
)
def test_an_edit_changes_the_hashes_of_what_runs_it(project: Path, package: str, changes: tuple[bool, bool]) -> None:
    before = hashes(project)
    (project / package / "code.py").write_text("# edited\n")
    after = hashes(project)
    assert (before[0] != after[0], before[1] != after[1]) == changes


@pytest.mark.parametrize(
    ("library", "changes"), [("scikit-learn", (True, False)), ("httptools", (False, True)), ("lightgbm", (True, True))]
)
def test_an_upgrade_changes_the_versions_of_what_uses_it(
    project: Path, library: str, changes: tuple[bool, bool]
) -> None:
    lock(project)
    before = [locked_versions(libraries, project) for libraries in (TRAINING_LIBRARIES, SERVING_LIBRARIES)]
    lock(project, **{library: "2"})
    after = [locked_versions(libraries, project) for libraries in (TRAINING_LIBRARIES, SERVING_LIBRARIES)]
    assert (before[0] != after[0], before[1] != after[1]) == changes
    assert after[0].get(library, "2") == after[1].get(library, "2") == "2"


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
