"""A model's figures beside those of what it was compared with, as tables for a terminal."""

from pathlib import Path
from typing import Any

from rich.table import Table

RANKERS = ("recommender", "first stage alone", "SAR", "own most chosen", "popularity", "best reachable")
"""What a judgement compares, in the order of the table: the engine sorts the names in its outputs."""


def metrics_table(metrics: dict[str, Any]) -> Table:
    """The model beside its baselines, on the same held-out rows."""
    table = Table(box=None, pad_edge=False, header_style="dim", caption_justify="left")
    for title in (f"on {metrics['rows']:,} held-out rows", "AUC", "log loss", "calibration error"):
        table.add_column(title, justify="left" if title.startswith("on ") else "right")
    table.add_row("this model", *_scores(metrics), f"{metrics['calibration_error']:.4f}", style="bold")
    for name, scores in metrics.get("baselines", {}).items():
        table.add_row(name.replace("_", " "), *_scores(scores))
    reasons = []
    for key, called in (("champion", "the champion before it"), ("best_kept", "the best version kept")):
        if (earlier := metrics.get(key)) and (reason := earlier.get("not_comparable")):
            reasons.append(f"{called.capitalize()} is not compared, because {reason}.")
        elif earlier:
            table.add_row(called, *_scores(earlier))
    if reasons:
        table.caption = " ".join(reasons)
    if best := metrics.get("best_reachable"):
        table.add_row("best reachable", *_scores(best))
    return table


def recommender_table(judgement: dict[str, Any]) -> Table | str:
    """The recommender beside what it was compared with, and the reason if it does not serve."""
    figures, of_new = judgement["figures"], judgement["figures_of_new"]
    if not figures:
        return str(judgement["reason"])
    table = Table(box=None, pad_edge=False, header_style="dim", caption_justify="left")
    if not judgement["accepted"]:
        table.caption = judgement["reason"]
    table.add_column(f"recommending to {judgement['users']:,} users")
    for title in ("NDCG@10", "recall@10", "coverage", "popular"):
        table.add_column(title, justify="right")
    if of_new:
        table.add_column("NDCG@10, new", justify="right")
    for name in (name for name in RANKERS if name in figures):
        row, ours = figures[name], name == RANKERS[0]
        shares = (f"{row[share]:.1%}" for share in ("coverage", "popular"))
        table.add_row(
            "this recommender" if ours else name,
            *(f"{row[metric]:.4f}" for metric in ("ndcg", "recall")),
            *shares,
            *([f"{of_new[name]['ndcg']:.4f}"] if of_new else []),
            style="bold" if ours else None,
        )
    return table


def shown_path(path: Path) -> Path:
    """`path`, relative to the working directory if it is inside."""
    try:
        return path.absolute().relative_to(Path.cwd())
    except ValueError:
        return path


def _scores(scores: dict[str, Any]) -> tuple[str, str]:
    return f"{scores['auc']:.4f}", f"{scores['log_loss']:.4f}"
