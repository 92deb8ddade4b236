"""The training bench as a table and a chart, which `make docs` puts on the site."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.training_run import STAGES

JOIN = "join"
"""The stage that is measured separately and isn't in the total."""


def table(measured: Sequence[Mapping[str, Any]]) -> str:
    """Rows a second a core of each stage by processor time, and the whole run, one line per run."""
    stages = [JOIN, *(stage for stage in STAGES if stage != "start")]
    header = f"| engine, rows, cores | {' | '.join(stages)} | all | seconds | fit / native | AUC, native | memory |"
    lines = [header, "| --- |" + " ---: |" * (len(stages) + 5)]
    for run in measured:
        known = (run["stages"].get(stage) for stage in stages)
        rates = [f"{cost['rows_a_second_a_core']:,.0f}" if cost else "" for cost in known]
        native = run["native"]
        ratio, auc = (f"{run['fit_over_native']:.2f}", f", {native['auc']:.4f}") if native else ("", "")
        lines.append(
            f"| {run['engine']}, {run['rows']:,}, {run['cores']} | {' | '.join(rates)} "
            f"| {run['rows_a_second_a_core']:,.0f} | {run['seconds']:.0f} | {ratio} "
            f"| {run['auc']:.4f}{auc} | {run['peak_memory_mib']:,.0f} MiB |"
        )
    return "\n".join(lines)


def draw(measured: Sequence[Mapping[str, Any]], modelled: Mapping[str, Any], file: Path) -> None:
    """Processor seconds by stage of each run, and the modelled time by cores, as a chart in `file`."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    names = [f"{run['engine']}, {run['rows'] / 1e6:g} M, {run['cores']}" for run in measured]
    begin = [0.0] * len(measured)
    for stage in STAGES:
        share = [run["stages"][stage]["cpu_seconds"] / run["rows"] * 1e6 for run in measured]
        left.barh(names, share, left=begin, label=stage)
        begin = [start + width for start, width in zip(begin, share, strict=True)]
    left.set(xlabel="processor seconds a million rows", ylabel="engine, rows, cores")
    left.legend(fontsize=7)
    seconds = {int(cores): value for cores, value in modelled["seconds_by_cores"].items()}
    right.plot(list(seconds), list(seconds.values()), marker="o")
    right.axhline(240, linestyle=":", color="gray")
    right.set(
        xlabel="cores of one machine, engine local",
        ylabel="seconds",
        title=f"{modelled['rows'] / 1e6:.1f} M rows, modelled; dotted: 4 minutes",
        ylim=(0, None),
        xscale="log",
        xticks=list(seconds),
        xticklabels=[str(cores) for cores in seconds],
    )
    figure.savefig(file)
