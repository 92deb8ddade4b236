"""The end of `up`: the service's address, an example request, the model's quality and its report."""

import shlex
from pathlib import Path
from typing import Any

from rich.table import Table

from personalize.clients.service import trusted_certificate
from personalize.stack.stack_files import StackFiles
from personalize.terminal.output import results, tell
from steps.folders import StackFolder
from tools.paths import state_folder

RANKERS = ("recommender", "first stage alone", "SAR", "popularity", "best reachable")
"""What a judgement compares, in the order of the table: the engine sorts the names in its outputs."""


def show_summary(outputs: dict[str, Any], stack: str, config_file: Path | None = None) -> None:
    """Print the outputs of an update for a person, with commands for this stack and stack file."""
    if "endpoint" not in outputs:
        return
    flag = "" if stack == "local" else f" --stack {stack}"
    if config_file is not None:
        flag += f" --config-file {shlex.quote(str(config_file))}"
    metrics = outputs["metrics"] if isinstance(outputs.get("metrics"), dict) else {}
    recommender = metrics.get("recommender")
    tell(f"The service answers at {outputs['endpoint']} with model version {outputs['model_version']}.")
    if StackFiles(stack).is_pinned:
        tell(f"It stays in service, even if `up` trains a newer one, until `.venv/bin/personalize serve latest{flag}`.")
    if recommender and recommender["accepted"]:
        tell(f"Recommend items to a user:\n\n  .venv/bin/personalize recommend{flag} USER --top 5\n")
    scores = not recommender or "auc" in metrics
    if scores:
        _tell_how_to_score(outputs, stack, flag)
    tables: list[Table | str] = [metrics_table(metrics)] if metrics and scores else []
    tables += [recommender_table(recommender)] if recommender else []
    for number, table in enumerate(tables):
        if number:
            results.print()
        results.print(table)
    tell(f"\nReport: {shown_path(Path(outputs['report']))} (`.venv/bin/personalize report{flag} --open` shows it)")


def _tell_how_to_score(outputs: dict[str, Any], stack: str, flag: str) -> None:
    """Print commands that request a click probability."""
    tell("Request a click probability:\n")
    if (own := StackFolder(state_folder(stack)).example).is_file():
        example = shlex.quote(str(shown_path(own)))
        trusted = trusted_certificate(StackFiles(stack), outputs)
        trust = f"--cacert {shlex.quote(str(shown_path(trusted)))} " if trusted else ""
        # Through a pipe, as an argument would show in the machine's list of processes.
        tell(
            f"  .venv/bin/personalize key{flag} --header |\n"
            f"    curl -s -H @- -H 'Content-Type: application/json' {trust}-d @{example} {outputs['endpoint']}/score\n"
            f"  .venv/bin/personalize predict{flag} {example}\n"
        )
    else:  # the model was registered from another machine
        tell(f"  .venv/bin/personalize predict{flag} --example > record.json\n")
        tell(f"  .venv/bin/personalize predict{flag} record.json\n")


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
            since = earlier.get("since")
            table.add_row(f"{called}, from {since} on" if since else called, *_scores(earlier))
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
        table.add_column(f"NDCG@10, {judgement['new_users']:,} new users", justify="right")
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
