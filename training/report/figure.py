"""Plots as inline SVG with the page's colours and font, readable in light and dark mode."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure

TEXT = "#010101"
MUTED = "#020202"
LINE = "#030303"
MODEL = "#040404"
OTHER = "#050505"
_VARIABLES = {TEXT: "--text", MUTED: "--muted", LINE: "--line", MODEL: "--model", OTHER: "--other"}
"""Placeholder colours, each replaced by a variable of the page's style sheet."""

_STYLE = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "text.color": TEXT,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
}
WIDTH_INCHES = 4.4


class Plot:
    """A figure being drawn; `svg` is set at the end of its `with` block."""

    def __init__(self, name: str, description: str, figure: Figure) -> None:
        self.name = name
        self.description = description
        self.figure = figure
        self.svg = Markup()

    def axes(self) -> Axes:
        """The figure's only axes."""
        return self.figure.subplots()


@contextmanager
def plot(name: str, description: str, *, height_inches: float = 3.6) -> Iterator[Plot]:
    """Draw a figure in the page's style. `name` is unique on the page, `description` is for screen readers."""
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        drawn = Plot(name, description, Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained"))
        yield drawn
        stream = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        drawn.figure.savefig(stream, format="svg", transparent=True, metadata=nothing)
    drawn.svg = _inline(stream.getvalue(), drawn)


def _inline(document: str, drawn: Plot) -> Markup:
    svg = document[document.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Every figure counts its ids from 1, but they must be unique on the page.
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{drawn.name}-", svg)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{escape(drawn.description)}" ', 1)
    svg = svg.replace("'DejaVu Sans'", "var(--font)")
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    # Matplotlib has escaped all texts.
    return Markup(svg)  # noqa: S704
