"""For the `conftest.py` of a folder whose test files import Azure's SDKs: without these, each file is skipped, which
`skips.py` judges like any other skip."""

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import pytest


class _Skipped(pytest.Module):
    def collect(self) -> Iterable[NoReturn]:
        pytest.skip("needs the packages of Azure, which `make test-tools` installs")


def azure_is_there() -> bool:
    """Whether Azure's SDKs are installed: the extra `azure`."""
    return importlib.util.find_spec("azure") is not None


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """A file that is skipped, unless the SDKs are installed."""
    return None if azure_is_there() else _Skipped.from_parent(parent, path=module_path)
