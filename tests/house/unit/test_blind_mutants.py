"""The rules by which `make mutants` finds faults that nobody chose."""

from itertools import islice

import pytest

from tests.mutants.blind import AREAS, drawn, faults
from tests.mutants.mutant import listed
from tests.mutants.run import PARTS, listed_part
from tests.support.rotation import turn
from tools.paths import ROOT


def altered(source: str) -> set[str]:
    """The file with each of the faults."""
    content = source.encode()
    return {(content[: one.begin] + one.text.encode() + content[one.end :]).decode() for one in faults(source)}


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("x = a < b\n", "x = ((a) <= (b))\n"),
        ("x = a is None\n", "x = ((a) is not (None))\n"),
        ("x = 3\n", "x = (3 + 1)\n"),
        ("x: int = 3\n", "x: int = (3 + 1)\n"),
        ("def f(wait: bool = True): ...\n", "def f(wait: bool = False): ...\n"),
        ("if a:\n    b()\n", "if (not (a)):\n    b()\n"),
        ("if a:\n    b()\n", "if a:\n    pass\n"),
        ("x += 1\n", "pass\n"),
        ("raise Error(3)\n", "pass\n"),
        ("x = f(a, b=c)\n", "x = f(a)\n"),
        ("x = a and (b or c)\n", "x = ((a))\n"),
        ("x = 'ä', a and b\n", "x = 'ä', ((a))\n"),
    ],
)
def test_a_rule_changes_one_thing(source: str, fault: str) -> None:
    assert fault in altered(source)


@pytest.mark.parametrize(
    "source",
    ['"""Text."""\n', "if TYPE_CHECKING:\n    import x\n", "@f(a=1)\ndef g(x: Literal[3]): ...\n", "x = f'{a == b}'\n"],
)
def test_what_no_test_could_see_is_left_alone(source: str) -> None:
    assert altered(source) == set()


def test_a_seed_draws_the_same_faults_again_from_every_area_and_all_of_them_compile() -> None:
    some = list(islice(drawn(7), 2 * len(AREAS)))
    assert [mutant.name for mutant in some] == [mutant.name for mutant in islice(drawn(7), len(some))]
    assert {mutant.file.partition("/")[0] for mutant in some} == set(AREAS)
    for mutant in some:
        compile(mutant.altered((ROOT / mutant.file).read_text(encoding="utf-8")), mutant.file, "exec")
        assert all((ROOT / test).exists() for test in mutant.tests)


def test_ten_turns_take_the_whole_list_and_a_turn_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [mutant.name for number in range(PARTS) for mutant in listed_part(None, number)]
    assert sorted(parts) == sorted(mutant.name for mutant in listed())
    monkeypatch.setenv("ROTATION", "20785")
    assert turn() == 20785
