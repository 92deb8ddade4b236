"""What somebody must know of a model that the gate rejected, as an issue."""

from collections.abc import Mapping, Sequence
from typing import Any

MEASURES = {"auc": "AUC", "log_loss": "log loss", "calibration_error": "calibration error"}


def rejection_report(stack: str, versions: Sequence[Mapping[str, Any]], environment: Mapping[str, str]) -> str:
    """Markdown from the rows of `personalize models` and GitHub's variables: why, and beside the model that serves."""
    rejected = next(row for row in versions if not row["accepted"])
    champion = next((row for row in versions if row["champion"]), None)
    beside = f" | version {champion['version']}, which serves" if champion else ""
    serving = f"Version {champion['version']} goes on serving." if champion else "Nothing serves yet."
    lines = [
        f"The gate of stack `{stack}` rejected model version {rejected['version']}. {serving}",
        "",
        *(f"- {reason}" for reason in rejected["reasons"]),
        "",
        f"| on held-out rows | version {rejected['version']}, rejected{beside} |",
        "|---|--:|" + ("--:|" if champion else ""),
    ]
    for key, title in MEASURES.items():
        other = f" {_number(champion[key])} |" if champion else ""
        lines.append(f"| {title} | {_number(rejected[key])} |{other}")
    data, code = rejected["manifest_hash"][:12], rejected["code_hash"][:12]
    lines += ["", f"Data `{data}`, code `{code}`, registered {rejected['registered']}."]
    if run := environment.get("GITHUB_RUN_ID"):
        server, repository = environment["GITHUB_SERVER_URL"], environment["GITHUB_REPOSITORY"]
        lines += ["", f"The whole report is an artefact of [the run]({server}/{repository}/actions/runs/{run})."]
    lines += ["", "What to do: `docs/runbooks/failed-training.md`."]
    return "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
