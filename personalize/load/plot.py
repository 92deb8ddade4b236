"""A load test as two charts: how long requests took over the test's time, and how many took how long."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from personalize.load.plan import LoadResult


def plot_load(result: LoadResult, title: str, file: Path) -> None:
    """Write the charts to `file`, whose ending names the format; needs at least one accepted request."""
    milliseconds = np.frombuffer(result.accepted) * 1000
    moments = np.frombuffer(result.accepted_at)
    figure = Figure(figsize=(10, 4), layout="constrained")
    over_time, spread = figure.subplots(1, 2)
    figure.suptitle(title)

    slices = np.linspace(0, max(result.seconds, moments.max()), 61)
    place = np.digitize(moments, slices)
    for rank in (50, 99):
        line = [
            np.percentile(milliseconds[place == index], rank) if (place == index).any() else np.nan
            for index in range(1, len(slices))
        ]
        over_time.plot(slices[:-1], line, label=f"p{rank}")
    over_time.set(xlabel="seconds from the start", ylabel="milliseconds", ylim=(0, None))
    over_time.legend()

    ordered = np.sort(milliseconds)
    share = 1 - np.arange(len(ordered)) / len(ordered)
    spread.plot(ordered, share * 100)
    spread.set(xscale="log", yscale="log", xlabel="milliseconds", ylabel="percent of requests that took longer")
    for axes in (over_time, spread):
        axes.grid(visible=True, alpha=0.3)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)
