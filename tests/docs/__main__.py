"""`python -m tests.docs`: runs the documentation's commands, and writes their output into its pages.

Run it on an idle machine with two cores: the pages show its times.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from tests.docs.session import Reader, Typed, sessions
from tests.docs.shapes import renewed


class OtherLinesError(Exception):
    """A page leaves lines out, and the lines that it shows are no longer printed."""


def main() -> None:
    """Run every session, and renew its pages after all of it has run."""
    for name, blocks in sessions().items():
        folder = Path(tempfile.mkdtemp(prefix="docs-"))
        reader = Reader(folder / "personalization")
        try:
            typed = [found for block in blocks for found in reader.follow(block)]
        finally:
            reader.leave()
            shutil.rmtree(folder, ignore_errors=True)
        for page in dict.fromkeys(block.page for block in blocks):
            renew(page, [found for found in typed if found.block.page == page])
        sys.stderr.write(f"{name}: {len(typed)} commands\n")


def renew(page: Path, typed: list[Typed]) -> None:
    """Replace the outputs on a page. Raises `OtherLinesError` if a person has to choose the lines."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for found in reversed([found for found in typed if found.block.language == "console"]):
        shown = renewed(found.command.shown, found.printed)
        if shown is None:
            raise OtherLinesError(f"{found.block.place}: {found.command.text}\n" + "\n".join(found.printed))
        first = found.block.line - 1 + found.command.output
        lines[first : first + len(found.command.shown)] = shown
    aside = page.with_suffix(".new")
    aside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    aside.replace(page)


if __name__ == "__main__":
    main()
