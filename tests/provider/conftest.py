"""What the steps' tests share: a folder, a context that records, small bundles and an empty registry."""

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from infra.local.folders import StackFolder
from infra.local.registry import LocalRegistry
from infra.provider.step import Context
from tests.support.bundles import make_bundle

STACK = "test"
MakeBundle = Callable[[int], Path]


@dataclass
class Recorder:
    """A step's context, with what the step reported."""

    lines: list[str] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def context(self) -> Context:
        """What the step gets."""
        return Context(self.lines.append, self.cancelled)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def folder_of(tmp_path: Path) -> Callable[[str], Path]:
    """Where a step looks for a stack's folder."""
    return lambda stack: tmp_path / stack


@pytest.fixture
def folder(tmp_path: Path) -> StackFolder:
    """The folder of the stack `test`."""
    return StackFolder(tmp_path / STACK)


@pytest.fixture(scope="session")
def bundle_of(tmp_path_factory: pytest.TempPathFactory) -> MakeBundle:
    """Small bundles by seed, made once."""
    place = tmp_path_factory.mktemp("bundles")

    def bundle(seed: int) -> Path:
        path = place / str(seed)
        return path if path.exists() else make_bundle(path, rows=300, seed=seed, trees=2)

    return bundle


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry that `create` made: MLflow takes a second or two for its tables."""
    place = tmp_path_factory.mktemp("empty") / "registry"
    LocalRegistry(place).create()
    return place


@pytest.fixture
def registry(folder: StackFolder, empty_registry: Path) -> LocalRegistry:
    """The stack's registry, empty."""
    shutil.copytree(empty_registry, folder.registry)
    return LocalRegistry(folder.registry)
