"""Shows the steps of an update: live lines on a terminal, fewer plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from personalize.stack.events import Phase, StepUpdate, title

WORDS = {
    "same": ("", "unchanged"),
    "create": ("creating", "created"),
    "update": ("updating", "updated"),
    "create-replacement": ("replacing", "replaced"),
    "delete": ("deleting", "deleted"),
    "refresh": ("looking", "looked at"),
    "read": ("reading", "read"),
}
"""What is said of an operation while it lasts, and after it."""
IGNORED = ("replace", "delete-replaced", "discard", "discard-replaced", "remove-pending-replace")
"""The other events of a replacement; its `create-replacement` is enough."""
MARKS = {Phase.FINISHED: (Text("✔", style="green"), "dim"), Phase.FAILED: (Text("✘", style="red"), "red")}
"""The mark and the style of a step that has ended; another one has a spinner."""
PLAIN_SECONDS = 10.0
"""Minimum time between two plain lines about the same stage of a step."""


@dataclass
class Row:
    """One step's line."""

    title: str
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None
    phase: Phase = Phase.STARTED
    text: str = ""
    last_line: float = float("-inf")
    last_stage: str = ""
    spinner: Spinner = field(default_factory=lambda: Spinner("dots"))

    @property
    def seconds(self) -> float:
        """Seconds since the step started, or that it took."""
        return (self.ended or time.monotonic()) - self.started


class StepDisplay:
    """Shows the updates of steps on `console`. It can be called from any thread."""

    def __init__(self, console: Console, *, plan: bool = False) -> None:
        self._console = console
        self._plan = plan
        self._live = console.is_terminal
        self._start = Row("starting")
        self.rows: dict[str, Row] = {}

    @contextmanager
    def shown(self) -> Iterator["StepDisplay"]:
        """Show the steps while the body runs; other output to the same console appears above them."""
        if not self._live:
            yield self
            return
        with Live(self, console=self._console, refresh_per_second=8):
            try:
                yield self
            finally:
                for row in self.rows.values():
                    if row.ended is None:  # the engine may not report the end of each step
                        row.phase, row.ended, row.text = Phase.FAILED, time.monotonic(), "stopped"

    def __call__(self, update: StepUpdate) -> None:
        """Take an update of a step."""
        if update.operation in IGNORED:
            return
        if update.phase is Phase.MESSAGE and update.step not in self.rows:
            if update.text:
                self._console.print(update.text, markup=False, style="dim")
            return
        row = self.rows.setdefault(update.step, Row(title(update.step)))
        row.phase = update.phase
        match update.phase:
            case Phase.STARTED:
                row.started, row.ended = time.monotonic(), None
                row.text = "" if self._plan else WORDS.get(update.operation, ("", ""))[0]
            case Phase.MESSAGE:
                row.text = update.text.removeprefix(f"{row.title}: ")
            case Phase.FINISHED:
                row.ended = time.monotonic()
                _, done = WORDS.get(update.operation, ("", update.operation))
                planned = "stays as it is" if update.operation == "same" else f"would be {done}"
                row.text = update.text or (planned if self._plan else done)
            case Phase.FAILED:
                row.ended, row.text = time.monotonic(), update.text or "failed"
        if not self._live and not (update.operation == "refresh" and update.text == ""):
            self._plain_line(row)

    def _plain_line(self, row: Row) -> None:
        stage = f"{row.phase}{row.text.partition(':')[0]}" if row.phase is Phase.MESSAGE else row.phase
        now = time.monotonic()
        if not row.text or (stage == row.last_stage and now - row.last_line < PLAIN_SECONDS):
            return
        row.last_stage, row.last_line = stage, now
        took = f" in {row.seconds:.0f} s" if row.ended and row.seconds >= 1 else ""
        self._console.print(f"{row.title}: {row.text}{took}", markup=False, soft_wrap=True)

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """The steps as a table, for `rich`."""
        # Room for the `^C` that a terminal prints on an interrupt: it would wrap and move the table.
        table = Table.grid(padding=(0, 1), expand=False)
        table.width = options.max_width - len("^C^C")
        table.add_column(width=1)
        table.add_column(no_wrap=True, min_width=15)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column(no_wrap=True, justify="right", min_width=5)
        for row in list(self.rows.values()) or [self._start]:
            mark, style = MARKS.get(row.phase, (row.spinner, ""))
            took = f"{row.seconds:.0f} s" if row.seconds >= 1 else ""
            table.add_row(mark, Text(row.title), Text(row.text, style=style), Text(took, style="dim"))
        yield table
