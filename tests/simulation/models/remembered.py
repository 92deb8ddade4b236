"""Caches shapes on disk: importing the models takes seconds in each plugin process."""

import hashlib
import importlib
import importlib.metadata
import pickle
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import cast

from tests.simulation.models.shapes import Shape
from tools.paths import cache_folder


def remembered(name: str, read: Callable[[type], Shape]) -> Shape:
    """The shape of the class "module:Class": from the cache, or by `read` if the package's version or this code has
    changed."""
    module, _, attribute = name.partition(":")
    version = f"{_version(module)}-{_readers()}"
    kept = cache_folder() / "simulation" / "shapes" / version / f"{module}.{attribute}"
    if kept.exists():
        return cast("Shape", pickle.loads(kept.read_bytes()))  # noqa: S301 - the file is our own
    shape = read(getattr(importlib.import_module(module), attribute))
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False) as aside:
        aside.write(pickle.dumps(shape))
    Path(aside.name).replace(kept)
    return shape


@cache
def _distribution(package: str) -> str:
    """Name and version of the installed distribution of `package`, such as "azure.ai.ml"."""
    name = package.replace(".", "-")
    return f"{name}-{importlib.metadata.version(name)}"


def _version(module: str) -> str:
    parts = module.split(".")
    return _distribution(".".join(parts[:3]))


@cache
def _readers() -> str:
    sources = [Path(__file__).with_name(f"{name}.py") for name in ("shapes", "classic", "current")]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
