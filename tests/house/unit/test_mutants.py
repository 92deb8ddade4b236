"""The lists of mutants are usable: each fault still applies, and its tests exist."""

import io
import tokenize
from functools import cache

import pytest

from tests.mutants.mutant import Mutant, listed
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
