"""Everything that a stack sends is unchanged since its last review against the documentation."""

import difflib
from pathlib import Path

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from tests.infra.wiring.page import FOLDER, OPTIONS, STACKS, VARIANTS, pages
from tools.paths import ROOT


@pytest.fixture(scope="module")
def written() -> dict[Path, str]:
    """The files as they would be written now."""
    return dict(pages())


@pytest.mark.parametrize("name", [*STACKS, *VARIANTS])
def test_a_stack_sends_what_was_reviewed(written: dict[Path, str], name: str) -> None:
    file = FOLDER / f"{name}.yaml"
    reviewed, found = file.read_text(encoding="utf-8"), written[file]
    shown = str(file.relative_to(ROOT))
    difference = "\n".join(
        difflib.unified_diff(reviewed.splitlines(), found.splitlines(), shown, "the program", lineterm="", n=6)
    )
    assert not difference, f"`make wiring` writes it down if it is meant; compare it with Azure's pages:\n{difference}"


def test_the_pages_show_each_option_and_no_machine(written: dict[Path, str]) -> None:
    text = "\n".join(written.values())
    assert str(ROOT) not in text
    for sign in ("omsagent", "scoring-traces", "scoring-shadow"):
        assert sign in written[FOLDER / "dev-with-options.yaml"], f"{OPTIONS} bring no {sign}"
