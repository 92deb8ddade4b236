"""The training bench as a table and as a chart: `make docs` puts both into the site."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.training_run import STAGES

JOIN = "join"
"""The stage that is measured on its own and is not in the sum of the others."""


def table(measured: Sequence[Mapping[str, Any]]) -> str:
    """Rows a second a core of each stage by processor time, and the whole run, one line per run."""
    stages = [JOIN, *(stage for stage in STAGES if stage != "start")]
    header = f"| rows, cores | {' | '.join(stages)} | all | seconds | fit / native | AUC, native | memory |"
    lines = [header, "| --- |" + " ---: |" * (len(stages) + 5)]
    for run in measured:
        rates = [f"{run['stages'][stage]['rows_a_second_a_core']:,.0f}" for stage in stages]
        lines.append(
            f"| {run['rows']:,}, {run['cores']} | {' | '.join(rates)} | {run['rows_a_second_a_core']:,.0f} "
            f"| {run['seconds']:.0f} | {run['fit_over_native']:.2f} | {run['auc']:.4f}, {run['native']['auc']:.4f} "
            f"| {run['peak_memory_mib']:,.0f} MiB |"
        )
    return "\n".join(lines)


def draw(measured: Sequence[Mapping[str, Any]], modelled: Mapping[str, Any], file: Path) -> None:
    """Processor seconds by stage of each run, and the modelled time by nodes, as a chart in `file`."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    names = [f"{run['rows'] / 1e6:g} M, {run['cores']} core{'s' * (run['cores'] > 1)}" for run in measured]
    begin = [0.0] * len(measured)
    for stage in STAGES:
        share = [run["stages"][stage]["cpu_seconds"] / run["rows"] * 1e6 for run in measured]
        left.barh(names, share, left=begin, label=stage)
        begin = [start + width for start, width in zip(begin, share, strict=True)]
    left.set(xlabel="processor seconds a million rows")
    left.legend(fontsize=7)
    seconds = {int(nodes): value for nodes, value in modelled["seconds_by_nodes"].items()}
    right.plot(list(seconds), list(seconds.values()), marker="o")
    right.axhline(180, linestyle=":", color="gray")
    right.set(
        xlabel=f"nodes of {modelled['cores_per_node']} cores",
        ylabel="seconds",
        title=f"{modelled['rows'] / 1e6:.1f} M rows, modelled; dotted: 3 minutes",
        ylim=(0, None),
        xticks=list(seconds),
    )
    figure.savefig(file)
