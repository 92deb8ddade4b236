"""Follows the documentation as its reader does: runs its commands in order, in a fresh copy of the project."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.docs.shapes import for_readers
from tests.docs.terminal import run_in_terminal
from tests.support.checkout import STACK_FILE, Checkout, environment
from tests.support.page_blocks import README, Command, PageBlock, blocks_of
from tools.paths import ROOT

OWN_DATA = "Bring your own data"
TUTORIAL = ROOT / "docs" / "tutorial.md"
ORDERS = ROOT / "docs" / "how-to" / "orders.md"
PORT = "8123"
OF_A_TERMINAL = {"COLUMNS", "LINES", "DISPLAY", "WAYLAND_DISPLAY", "XDG_CURRENT_DESKTOP", "DESKTOP_SESSION"}
OF_MAKE = {"MAKELEVEL", "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES"}
NOT_A_READERS = OF_A_TERMINAL | OF_MAKE
"""Variables that a reader doesn't have: below another make, `make up` would print the folders that it enters and
leaves."""
READERS = {"TERM": "dumb", "BROWSER": "true"}
"""A terminal without colours, in which progress shows its last state alone, as on a page; and a browser that opens
nothing."""


class CommandFailedError(Exception):
    """A page has a command that fails."""


@dataclass(frozen=True)
class Typed:
    """A page's command and the lines that it printed."""

    block: PageBlock
    command: Command
    printed: list[str]


def sessions() -> dict[str, list[PageBlock]]:
    """All blocks of the README and `docs/`, in sessions that each start from nothing."""
    readme = blocks_of(README)
    others = [page for page in sorted((ROOT / "docs").rglob("*.md")) if page not in {TUTORIAL, ORDERS}]
    return {
        "the-readme": [block for block in readme if block.section != OWN_DATA],
        "the-tutorial": blocks_of(TUTORIAL),
        "a-shops-orders": blocks_of(ORDERS),
        "a-stack-on-own-data": [block for block in readme if block.section == OWN_DATA]
        + [block for page in others for block in blocks_of(page)],
    }


class Reader:
    """Has a copy of the project in `folder`, with its own port for services."""

    def __init__(self, folder: Path) -> None:
        self.checkout = Checkout.make(folder)
        self._move_default_port()
        (folder / STACK_FILE).write_bytes((ROOT / STACK_FILE).read_bytes())

    def follow(self, block: PageBlock) -> Iterator[Typed]:
        """Run a block. Raises `CommandFailedError` at the first command that fails."""
        if block.mark:
            return
        if block.file:
            self._write(block)
        for command in block.commands:
            script = command.text.replace(PORT, str(self.checkout.port))
            kept = {name: value for name, value in environment().items() if name not in NOT_A_READERS}
            code, printed = run_in_terminal(script, self.checkout.folder, kept | READERS)
            if code:
                raise CommandFailedError(f"{block.place}: exit code {code} of\n{command.text}\n{printed}")
            lines = for_readers(printed, port=self.checkout.port, folder=str(self.checkout.folder))
            yield Typed(block, command, lines)

    def leave(self) -> None:
        """Destroy the stack if it's still up."""
        self.checkout.start("destroy", "--yes").communicate(timeout=120)

    def _write(self, block: PageBlock) -> None:
        """Merge settings into an existing stack file; any other file is overwritten."""
        file, content = self.checkout.folder / block.file, yaml.safe_load(block.content)
        if "config" in content and file.exists():
            held = yaml.safe_load(file.read_text(encoding="utf-8"))
            for name, value in content["config"].items():
                held["config"][name] = _beside(held["config"].get(name), value)
            file.write_text(yaml.safe_dump(held), encoding="utf-8")
        else:
            file.write_text(block.content, encoding="utf-8")

    def _move_default_port(self) -> None:
        """Change the default port in the copy, so that several sessions can run at once; pages don't set the port."""
        file, default = (
            self.checkout.folder / "steps" / "serving_settings.py",
            "port: int = Field(default=",
        )
        before, found, after = file.read_text(encoding="utf-8").partition(default + PORT)
        assert found, f"{file} has no {default + PORT!r}"
        file.write_text(f"{before}{default}{self.checkout.port}{after}", encoding="utf-8")


def _beside(held: Any, given: Any) -> Any:
    """Merge a setting: a group keeps what isn't given, unless its kind changes."""
    if isinstance(held, dict) and isinstance(given, dict) and held.get("kind") == given.get("kind"):
        return held | given
    return given
