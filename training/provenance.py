"""What a model depends on besides its data: the training code and the libraries."""

import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("features", "recommend", "training")
LIBRARIES = ("lightgbm", "numpy", "pandas", "pyarrow", "xxhash")


@cache
def training_code_hash() -> str:
    """A hash of the training code, 64 hexadecimal digits, which steps compare and bundles record."""
    return code_hash(PACKAGES)


def code_hash(packages: Iterable[str], root: Path = ROOT) -> str:
    """SHA-256 over the names and contents of the packages' files below `root`."""
    digest = hashlib.sha256()
    for file in source_files(packages, root):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(root).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def source_files(packages: Iterable[str], root: Path = ROOT) -> Iterator[Path]:
    """Every file of the packages that belongs to the code, in a stable order."""
    for package in sorted(packages):
        for file in sorted((root / package).rglob("*")):
            # Neither compiled files nor editors' hidden files.
            if file.is_file() and file.suffix != ".pyc" and not file.name.startswith("."):
                yield file


def library_versions() -> dict[str, str]:
    """The versions of the libraries that affect a model on every engine."""
    return {name: version(name) for name in LIBRARIES}
