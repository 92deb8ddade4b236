"""Hashes of the project's own code: a change in what a step runs is a change of the step's inputs.

Libraries count by their locked versions, so that an upgrade that may change a model or an answer runs the steps again.
"""

import hashlib
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from tools.paths import ROOT

TRAINING_PACKAGES = ("training", "features")
SERVING_PACKAGES = ("scoring", "features")
TRAINING_LIBRARIES = ("lightgbm", "numpy", "pandas", "pyarrow", "pyspark", "synapseml", "scikit-learn", "xxhash")
SERVING_LIBRARIES = ("lightgbm", "msgspec", "numpy", "pyspark", "starlette", "synapseml", "uvicorn", "xxhash")


def training_code_hash(root: Path = ROOT) -> str:
    """64 hexadecimal digits that change with the training code, what it shares with scoring, or its libraries."""
    return code_hash(root, TRAINING_PACKAGES, TRAINING_LIBRARIES)


def serving_code_hash(root: Path = ROOT) -> str:
    """64 hexadecimal digits that change with the serving code, what it shares with training, or its libraries."""
    return code_hash(root, SERVING_PACKAGES, SERVING_LIBRARIES)


def code_hash(root: Path, packages: Iterable[str], libraries: Iterable[str]) -> str:
    """SHA-256 over the names and contents of the packages' files below `root` and the libraries' locked versions."""
    digest = hashlib.sha256()
    for file in source_files(root, packages):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(root).as_posix()} {content}\n".encode())
    locked = {package["name"]: package["version"] for package in _lock(root)["package"] if "version" in package}
    for library in sorted(libraries):
        digest.update(f"{library}=={locked[library]}\n".encode())
    return digest.hexdigest()


def source_files(root: Path, packages: Iterable[str]) -> Iterator[Path]:
    """Every file of the packages that belongs to the code, in a stable order."""
    for package in sorted(packages):
        for file in sorted((root / package).rglob("*")):
            # Compiled files and what editors hide beside a file that is open.
            if file.is_file() and file.suffix != ".pyc" and not file.name.startswith("."):
                yield file


def _lock(root: Path) -> dict[str, list[dict[str, str]]]:
    return tomllib.loads((root / "uv.lock").read_text())
