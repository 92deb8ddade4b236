"""What a model comes from besides its data: the code that trains it, and the libraries."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("lightgbm", "numpy", "pandas", "pyarrow", "xxhash")


@cache
def code_hash() -> str:
    """The identity of the code that trains: SHA-256 over all files of `features` and `training`, 64 hex digits.

    It is asked for several times in a run, and the code that runs does not change.
    """
    digest = hashlib.sha256()
    for package in ("features", "training"):
        for file in sorted((ROOT / package).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(ROOT).as_posix()}\0{file.stat().st_size}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def library_versions() -> dict[str, str]:
    """The versions of the libraries that decide about a model on every engine."""
    return {name: version(name) for name in LIBRARIES}
