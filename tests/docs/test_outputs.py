"""`make docs-outputs` writes what was printed where a page shows it, and touches nothing else."""

from pathlib import Path

import pytest

from tests.docs.__main__ import OtherLinesError, renew
from tests.docs.session import Typed
from tests.docs.terminal import run_in_terminal
from tests.support.blocks import blocks_of

PAGE = """# A page

```sh
ls
```

```console
$ first |
    cat
old
$ second
...
AUC 0.70
...
```

The end.
"""


def typed(page: Path, printed: list[list[str]]) -> list[Typed]:
    """What a reader of the page types, with these outputs."""
    commands = [(block, command) for block in blocks_of(page) for command in block.commands]
    return [Typed(block, command, lines) for (block, command), lines in zip(commands, printed, strict=True)]


def test_outputs_are_written_where_they_are_shown(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    renew(page, typed(page, [["a", "b"], ["new", "lines"], ["before", "AUC 0.80", "after"]]))
    assert page.read_text() == PAGE.replace("old\n", "new\nlines\n").replace("0.70", "0.80")
    assert list(tmp_path.iterdir()) == [page]


def test_a_page_whose_lines_are_gone_is_left_to_a_person(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    with pytest.raises(OtherLinesError, match=r"page\.md:8: second\nlog loss 0\.44"):
        renew(page, typed(page, [[], ["old"], ["log loss 0.44"]]))
    assert page.read_text() == PAGE


def test_a_question_is_answered_and_output_and_errors_are_seen_as_they_come(tmp_path: Path) -> None:
    script = 'read -rp "Sure? [y/N]: " answer; echo "$answer" >&2; pwd; false; echo never'
    code, printed = run_in_terminal(script, tmp_path, {"PATH": "/usr/bin:/bin"})
    assert (code, printed) == (1, f"Sure? [y/N]: y\ny\n{tmp_path}\n")
