"""The drift page: data compared with a model's baseline sample."""

import itertools
from pathlib import Path

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import PercentFormatter

from features.reference import MAJOR_SHIFT, SMALLEST, STABLE, Histogram
from training.evaluation.gate import Check
from training.evaluation.reference import Drift, Moved
from training.report.figure import LINE, MODEL, MUTED, OTHER, TEXT, plot
from training.report.page import environment, put
from training.report.plots import short_name

SHOWN = 6
"""How many columns' histograms are drawn."""
LISTED = 20
"""The most columns in the overview."""


def write(path: Path, drift: Drift, check: Check, *, dataset: str, bundle_hash: str) -> None:
    """Write the page to `path`."""
    put(path, render(drift, check, dataset=dataset, bundle_hash=bundle_hash))


def render(drift: Drift, check: Check, *, dataset: str, bundle_hash: str) -> str:
    """The page as HTML; `dataset` describes what was compared with the model `bundle_hash`."""
    plots = {
        "indices": _indices(drift),
        "prediction": _histograms(drift.prediction, "prediction"),
        "columns": [(_histograms(moved, f"column{place}"), moved) for place, moved in enumerate(drift.columns[:SHOWN])],
    }
    return (
        environment()
        .get_template("drift.html")
        .render(
            drift=drift,
            check=check,
            dataset=dataset,
            bundle_hash=bundle_hash,
            plots=plots,
            shift=MAJOR_SHIFT,
            moved_most=[drift.prediction, *drift.columns],
        )
    )


def _indices(drift: Drift) -> Markup:
    shown = [drift.prediction, *drift.columns[:LISTED]][::-1]
    with plot("indices", "Population stability index by column", height_inches=0.9 + 0.2 * len(shown)) as drawn:
        axes = drawn.axes()
        colors = [OTHER if moved.index > MAJOR_SHIFT else MODEL for moved in shown]
        bars = axes.barh(range(len(shown)), [moved.index for moved in shown], color=colors, height=0.7)
        axes.set_yticks(range(len(shown)), [short_name(moved.name) for moved in shown])
        axes.bar_label(bars, labels=[f"{moved.index:.3f}" for moved in shown], padding=3, color=TEXT, fontsize=8)
        for limit in (STABLE, MAJOR_SHIFT):
            axes.axvline(limit, color=MUTED, linewidth=1, linestyle=":")
        axes.grid(visible=False)
        axes.tick_params(axis="y", length=0, labelcolor=TEXT)
        axes.set_xlim(0, 1.15 * max(MAJOR_SHIFT, *(moved.index for moved in shown)))
        axes.margins(y=0.01)
    return drawn.svg


def _histograms(moved: Moved, name: str) -> Markup:
    """The shares of rows by bin, in the baseline sample and now."""
    with plot(name, f"{moved.name}: baseline sample and new data, index {moved.index:.3f}", height_inches=3.0) as drawn:
        axes = drawn.axes()
        places = np.arange(len(moved.rows))
        for shift, rows, color, label in (
            (-0.2, moved.reference.rows, MUTED, "baseline sample"),
            (0.2, moved.rows, MODEL, "new data"),
        ):
            axes.bar(places + shift, np.array(rows) / sum(rows), width=0.4, color=color, label=label)
        axes.set_xticks(places, _labels(moved.reference), rotation=45, ha="right", fontsize=7)
        axes.set(ylabel="share of the rows", ylim=(0, 1.35 * axes.get_ylim()[1]))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.grid(visible=False, axis="x")
        axes.spines["bottom"].set_color(LINE)
        axes.legend(loc="upper left", fontsize=8)
    return drawn.svg


def _labels(histogram: Histogram) -> list[str]:
    edges = [f"{0.0 if abs(edge) <= SMALLEST else edge:.3g}" for edge in histogram.edges]
    if not edges:
        return ["any", "none"]
    between = [low if low == high else f"{low} to {high}" for low, high in itertools.pairwise(edges)]
    return [f"below {edges[0]}", *between, f"from {edges[-1]}", "none"]
