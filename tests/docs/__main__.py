"""`python -m tests.docs`: types what the documentation says, and writes into its pages what was printed.

Run it on a machine with two cores that does nothing else: the pages then show its times.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from tests.docs.session import Reader, Typed, sessions
from tests.docs.shapes import renewed


class OtherLinesError(Exception):
    """A page leaves lines out, and those that it shows are no longer among what is printed."""


def main() -> None:
    """Go through every session, and renew its pages when all of it has run."""
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
    """Replace the outputs that a page shows. Raises `OtherLinesError` where a person has to choose the lines."""
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
