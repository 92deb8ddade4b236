"""The examples in the packages' docstrings, run and compared with what they show."""

import doctest
from importlib import import_module

import pytest

from tools.paths import ROOT


@pytest.mark.parametrize(
    "package", ["features", "recommend", pytest.param("training", marks=[pytest.mark.slow, pytest.mark.timeout(300)])]
)
def test_the_examples_of_a_package_print_what_they_show(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = doctest.testmod(import_module(package))
    assert found.attempted > 0
    assert found.failed == 0
