"""Compares a command's output with its page, and computes what the page should show.

A line `...` on a page stands for any lines. What no seed fixes (times, hashes, ports, folders, loads) is compared by
its shape, everything else literally.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

ELLIPSIS = "..."
STEP = "✔"
HASH = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{24,}\b")
SHAPES = [
    (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?|\b\d{8}-\d{6}\b", "TIME"),
    (r"\b[0-9a-f]{8}\.{3}|\b[0-9a-f]{10}\b|(?<=  )[0-9a-f]{6}[ *]  [0-9a-f]{7}\b", "HASH"),
    (rf"^({STEP}.*?) +\d+ s$", r"\1"),
    (r"\d[\d,.]*(?= (s|ms|MiB)\b)", "N"),
    (r"(\.\d{6})\d+", r"\1"),
    (r" +", " "),
]
"""Patterns of what may differ between two runs, with replacements. A step's time is shown only from one second on, and
processors may round the last decimals differently."""
Shape = Callable[[str], str]


def for_readers(printed: str, *, port: int, folder: str) -> list[str]:
    """The printed lines as a page shows them: shortened hashes, and a reader's port and folder."""
    text = printed.replace(f":{port}", ":8123").replace(folder, "~/personalization")
    lines = [line.rstrip() for line in HASH.sub(r"\1...", text).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def exact(line: str) -> str:
    """The line, with replacements for what no seed fixes."""
    for pattern, shape in SHAPES:
        line = re.sub(pattern, shape, line)
    return line


def loose(line: str) -> str:
    """The line, with replacements for all figures."""
    return re.sub(r"[\d,.]*\d", "N", exact(line))


def agree(shown: Sequence[str], printed: Sequence[str], shape: Shape = exact) -> bool:
    """Whether a page shows what was printed."""
    return _places(_parts(shown), printed, shape) is not None


def renewed(shown: Sequence[str], printed: Sequence[str]) -> list[str] | None:
    """What a page should show: the same lines with new figures. None if its lines are no longer printed."""
    if ELLIPSIS not in shown:
        return list(printed)
    parts = _parts(shown)
    places = _places(parts, printed, loose)
    if places is None:
        return None
    return [line for part, place in zip(parts, places, strict=True) for line in (printed[place] if place else part)]


def _parts(shown: Sequence[str]) -> list[list[str]]:
    """Contiguous lines, separated by the lines `...`."""
    return [list(group) for _, group in groupby(shown, key=lambda line: line == ELLIPSIS)]


def _places(parts: Sequence[list[str]], printed: Sequence[str], shape: Shape) -> list[slice | None] | None:
    """The slice of the output for each piece, None for omitted lines; None if the output doesn't match."""
    have, start, left_out = _shaped(printed, shape), 0, False
    found: list[slice | None] = []
    for part in parts:
        if part[0] == ELLIPSIS:
            found.append(None)
            left_out = True
            continue
        want = _shaped(part, shape)
        earliest = len(have) - len(want) if part is parts[-1] else start
        latest = len(have) - len(want) if left_out else start
        place = next((at for at in range(max(start, earliest), latest + 1) if have[at : at + len(want)] == want), None)
        if place is None:
            return None
        start, left_out = place + len(want), False
        found.append(slice(place, start))
    return found if left_out or start == len(have) else None


def _shaped(lines: Iterable[str], shape: Shape) -> list[str]:
    """Replace figures and sort consecutive steps, whose order varies."""
    shaped: list[str] = []
    for steps, group in groupby(map(shape, lines), key=lambda line: line.startswith(STEP)):
        run = list(group)
        shaped += sorted(run) if steps else run
    return shaped
