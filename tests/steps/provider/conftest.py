"""Fixtures for tests of steps: a stack's folder, a recording context, and an empty registry."""

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from steps.folders import StackFolder
from steps.registry_here import LocalRegistry
from steps.step import Context

STACK = "test"


@dataclass
class Recorder:
    """A step's context, and the lines that the step reported."""

    lines: list[str] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def context(self) -> Context:
        """The context that a step gets."""
        return Context(self.lines.append, self.cancelled)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def folder_of(tmp_path: Path) -> Callable[[str], Path]:
    """A function from a stack's name to its folder."""
    return lambda stack: tmp_path / stack


@pytest.fixture
def folder(tmp_path: Path) -> StackFolder:
    """The folder of stack `test`."""
    return StackFolder(tmp_path / STACK)


@pytest.fixture
def registry(folder: StackFolder, empty_registry: Path) -> LocalRegistry:
    """An empty registry for the stack."""
    shutil.copytree(empty_registry, folder.registry)
    return LocalRegistry(folder.registry)
