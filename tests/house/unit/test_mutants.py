"""The lists of mutants are usable: each fault still applies, and its tests exist."""

import io
import tokenize
from collections import Counter
from functools import cache

import pytest

from tests.mutants.blind import AREAS
from tests.mutants.mutant import Mutant, listed
from tests.mutants.workshop import PACKAGES
from tools.paths import ROOT

LOOKS = {tokenize.COMMENT, tokenize.NL}


@cache  # a file has many mutants
def meaning(content: str) -> list[tuple[int, str]]:
    """A file's Python tokens, without comments, empty lines and the width of indentation."""
    tokens = tokenize.generate_tokens(io.StringIO(content).readline)
    return [(token.type, token.string.strip()) for token in tokens if token.type not in LOOKS]


def described(mutant: Mutant) -> str:
    return mutant.name


@pytest.mark.parametrize("mutant", listed(), ids=described)
def test_every_mutant_still_applies_and_its_tests_exist(mutant: Mutant) -> None:
    content = (ROOT / mutant.file).read_text()
    altered = mutant.altered(content)
    assert altered != content
    if mutant.file.endswith(".py"):
        compile(altered, mutant.file, "exec")
        assert meaning(altered) != meaning(content), "it changes nothing but the looks"
    for test in mutant.tests:
        file, _, inside = test.partition("::")
        function = inside.rpartition("::")[2]
        assert f"def {function.partition('[')[0]}" in (ROOT / file).read_text()


def test_there_are_listed_and_blind_mutants_of_every_package_of_the_program() -> None:
    assert {*AREAS, "tests"} == set(PACKAGES)
    listed_of = Counter(mutant.file.split("/")[0] for mutant in listed())
    assert listed_of.total() >= 60
    assert {package for package in AREAS if listed_of[package] < 3} == set()
