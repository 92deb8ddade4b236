"""Fixtures for tests of steps: a stack's folder, a recording context, and an empty registry."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from steps.folders import StackFolder
from steps.registry_here import LocalRegistry
from tests.steps.provider.service_stack import ServiceStack
from tests.steps.provider.steps import STACK, Recorder, Take
from tests.support.bundles import MakeBundle


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def take(tmp_path: Path, recorder: Recorder) -> Take:
    return Take(tmp_path, recorder)


@pytest.fixture
def folder(tmp_path: Path) -> StackFolder:
    """The folder of stack `test`."""
    return StackFolder(tmp_path / STACK)


@pytest.fixture
def registry(folder: StackFolder, empty_registry: Path) -> LocalRegistry:
    """An empty registry for the stack."""
    shutil.copytree(empty_registry, folder.registry)
    return LocalRegistry(folder.registry)


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, empty_registry: Path, bundle_of: MakeBundle
) -> Iterator[ServiceStack]:
    made = ServiceStack(tmp_path_factory.mktemp("service"), empty_registry, bundle_of)
    yield made
    made.processes.end(made.processes.all())
