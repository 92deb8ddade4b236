"""The plots of the report, as SVG in the page's colours."""

import io
import re
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from scipy.stats import binomtest

from training.evaluation.baselines import LOGISTIC_REGRESSION
from training.evaluation.metrics import Evaluation
from training.report.data import ReportData

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


def plot(name: str, description: str, draw: Callable[[Axes], None], *, height_inches: float = 3.6) -> Markup:
    """The figure that `draw` draws in the page's style. `name` is unique on the page, `description` is for screen
    readers.
    """
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
        draw(figure.subplots())
        stream = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(stream, format="svg", transparent=True, metadata=nothing)
    document = stream.getvalue()
    svg = document[document.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Every figure counts its ids from 1, but they must be unique on the page.
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{escape(description)}" ', 1)
    svg = svg.replace("'DejaVu Sans'", "var(--font)")
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    # Matplotlib has escaped all texts.
    return Markup(svg)  # noqa: S704


TOP_FEATURES = 20
NAME_LENGTH = 28


def roc(data: ReportData) -> Markup:
    """True positive rate against false positive rate."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":", label="guessing, area 0.500")
        for label, evaluation, style in _lines(data):
            axes.plot(*zip(*evaluation.roc, strict=True), label=f"{label}, area {evaluation.auc:.3f}", **style)
        axes.set(xlabel="share of unclicked rows picked", ylabel="share of clicked rows picked")
        axes.set(xlim=(0, 1), ylim=(0, 1))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        for spine in axes.spines.values():
            spine.set_color(LINE)
        axes.legend(loc="lower right")

    return plot("roc", f"ROC curve, area {data.evaluation.auc:.3f}", draw)


def calibration(data: ReportData) -> Markup:
    """Observed click rate against predicted probability, with the 95 % Wilson score interval of each."""
    bins = data.evaluation.reliability
    predicted = [part.mean_probability for part in bins]
    observed = [part.clicks / part.rows for part in bins]
    low, high = zip(*(binomtest(part.clicks, part.rows).proportion_ci(method="wilson") for part in bins), strict=True)
    limit = min(1.0, 1.08 * max(*predicted, *high))

    def draw(axes: Axes) -> None:
        axes.plot([0, limit], [0, limit], color=MUTED, linewidth=1, linestyle=":", label="perfect")
        axes.vlines(predicted, low, high, color=MODEL, linewidth=1, alpha=0.6, label="95 % interval")
        axes.plot(predicted, observed, color=MODEL, marker="o", markersize=4, linewidth=1.2, label="this model")
        axes.set(xlabel="predicted probability", ylabel="observed click rate", xlim=(0, limit), ylim=(0, limit))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=None))
        axes.legend(loc="upper left")

    return plot("calibration", "Observed click rate by predicted probability", draw)


def importance(gains: Mapping[str, float]) -> Markup:
    """The features with the largest shares of the total gain."""
    total = sum(gains.values()) or 1.0
    top = sorted(gains.items(), key=lambda item: (-item[1], item[0]))[:TOP_FEATURES][::-1]
    shares = [gain / total for _, gain in top]

    def draw(axes: Axes) -> None:
        bars = axes.barh(range(len(top)), shares, color=MODEL, height=0.7)
        axes.set_yticks(range(len(top)), [short_name(name) for name, _ in top])
        axes.bar_label(bars, labels=[f"{share:.1%}" for share in shares], padding=3, color=TEXT, fontsize=8)
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(axis="y", length=0, labelcolor=TEXT)
        axes.set_xticks([])
        axes.margins(x=0.12, y=0.01)

    return plot("importance", "Share of the gain by feature", draw, height_inches=0.9 + 0.2 * len(top))


def _lines(data: ReportData) -> list[tuple[str, Evaluation, dict[str, Any]]]:
    """The models whose curves are drawn, this one last and so on top: a label, the evaluation and the line's style."""
    lines: list[tuple[str, Evaluation, dict[str, Any]]] = []
    if regression := data.baselines.get(LOGISTIC_REGRESSION):
        lines.append(("logistic regression", regression, {"color": OTHER, "linestyle": "-.", "linewidth": 1.2}))
    if data.champion and data.champion.evaluation:
        lines.append(("champion", data.champion.evaluation, {"color": TEXT, "linestyle": "--", "linewidth": 1.2}))
    return [*lines, ("this model", data.evaluation, {"color": MODEL, "linewidth": 2})]


def short_name(name: str) -> str:
    """A name short enough for an axis, with $ escaped for Matplotlib."""
    half = NAME_LENGTH // 2
    fitting = name if len(name) <= NAME_LENGTH else f"{name[:half]}…{name[-half:]}"
    return fitting.replace("$", r"\$")
