"""The training bench as a table."""

from collections.abc import Mapping, Sequence
from typing import Any

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
