"""Finds a table's fields of the wrong type: counts them, and names the first by line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from training.datasets.described.fields import Check, TableRules, checks
from training.datasets.described.files import TableFile
from training.datasets.described.texts import Chunk
from training.datasets.errors import MalformedRowError

EXAMPLES = 5
"""How many wrong fields of a column are shown."""
_SHOWN_CHARACTERS = 60
_MISSING_WORDS = 3


@dataclass(kw_only=True)
class Fault:
    """A column's wrong fields in a file, or without a `check` its malformed rows, with the places of the first."""

    file: TableFile
    check: Check | None = None
    count: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)
    values: set[str] = field(default_factory=set)

    def add(self, places: Iterable[tuple[int, str]]) -> None:
        """Count more, in the file's order."""
        for place, text in places:
            self.count += 1
            if len(self.examples) < EXAMPLES:
                self.examples.append((place, text))
            if len(self.values) <= _MISSING_WORDS:
                self.values.add(text)

    def sentence(self, rows: str) -> str:
        """A sentence with what is wrong and where, of so many checked `rows`: `943`, or `the first 5,000`."""
        verb = "is" if self.count == 1 else "are"
        if self.check is None:
            shown = ", ".join(f"line {place} has {text}" for place, text in self.examples)
            fault = "no JSON object" if self.file.is_json else "not split as the header is"
            rest = f"rows {verb} {fault}: {shown}{self._more()}"
            return f"{self.file.path}: {self.count:,} of {rows} {rest}"
        unit = "line" if self.file.has_lines else "row"
        shown = ", ".join(f"{unit} {place} {_short(text)!r}" for place, text in self.examples)
        text = (
            f"{self.file.path}, {self.check.role} {self.check.column}: {self.count:,} of {rows} fields {verb} "
            f"{self.check.fault}: {shown}{self._more()}"
        )
        return text + self._advice()

    def _more(self) -> str:
        return f" and {self.count - len(self.examples):,} more" if self.count > len(self.examples) else ""

    def _advice(self) -> str:
        if self.check is None or self.check.role != "number":
            return ""
        if all(text.startswith("[") for text in self.values):
            return f"; a list is as many numbers as it has with {{column: {self.check.column!r}, length: ...}}"
        if len(self.values) > _MISSING_WORDS:
            return ""
        words = ", ".join(f'"{_short(text)}"' for text in sorted(self.values))
        return f"; where that means missing, say {{column: {self.check.column!r}, missing: [{words}]}}"


class Cells:
    """The faults of one file of a table, gathered chunk by chunk."""

    def __init__(self, file: TableFile, rules: TableRules) -> None:
        """Without any faults yet."""
        self.rows = 0
        self._shape = Fault(file=file)
        self._faults = [Fault(file=file, check=check) for check in checks(rules)]

    def add(self, chunk: Chunk) -> None:
        """Check a chunk; each distinct text of a column is checked once."""
        self.rows += len(chunk.places) + len(chunk.misshapen)
        self._shape.add(chunk.misshapen)
        for fault in self._faults:
            if fault.check is None:
                continue
            texts = chunk.columns[fault.check.column]
            wrong = {text for text in fault.check.doubtful(texts).to_pylist() if not fault.check.is_right(text)}
            if wrong:
                fields = zip(chunk.places.tolist(), texts.to_pylist(), strict=True)
                fault.add((place, text) for place, text in fields if text in wrong)

    @property
    def faults(self) -> list[Fault]:
        """All faults, malformed rows first."""
        return [fault for fault in (self._shape, *self._faults) if fault.count]


def malformed(sentences: Sequence[str]) -> MalformedRowError:
    """The error for all wrong fields of all tables."""
    way_out = "Correct the files or the dataset config."
    if len(sentences) == 1:
        return MalformedRowError(f"{sentences[0]}. {way_out}")
    listed = "\n".join(f"  {sentence}" for sentence in sentences)
    return MalformedRowError(f"Fields of {len(sentences)} columns cannot be used:\n{listed}\n{way_out}")


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
