"""The texts of the workflows: a plan with its price, a rejected model, a deleted stack."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from personalize.delivery.plan import DATA_HOLDERS, LABEL, Plan
from personalize.engine.events import Change
from personalize.views.model_table import MEASURES

WORDS = {"create": "new", "update": "changed", "replace": "replaced", "delete": "deleted", "same": "unchanged"}
NOT_READ = "It did not read the data: new files, or another meaning of its columns, would train a model too."
MAX_ROWS = 60
"""A comment may have 65,536 characters; a row has about 150, and the first plan of a stack over 100 resources."""
MAX_PATHS = 6
CENT = Decimal("0.01")


def mark(stack: str) -> str:
    """An invisible mark by which the comment is found again."""
    return f"<!-- personalize plan of {stack} -->"


def plan_comment(stack: str, plan: Plan, bill: Mapping[str, Any] | None, *, allowed: bool) -> str:
    """Markdown. `bill` is the output of `estimate --compare --json`, with the settings before the change beside it."""
    lines = [mark(stack), f"## Changes of stack `{stack}`", "", _headline(plan), ""]
    lines += _risks(plan, allowed=allowed)
    lines += _table(plan)
    if bill is not None:
        lines += _cost(bill)
    return "\n".join(lines) + "\n"


def _headline(plan: Plan) -> str:
    order = ("create", "update", "replace", "delete", "same")
    counted = [f"{plan.counts[kind]} {WORDS[kind]}" for kind in order if plan.counts.get(kind)]
    found = f"**{', '.join(counted) or 'nothing'}**, found in {plan.seconds:.0f} s by a preview, which changed nothing."
    return found if plan.data_read else f"{found} {NOT_READ}"


def _risks(plan: Plan, *, allowed: bool) -> Iterator[str]:
    risks = plan.data_at_risk
    if not risks:
        return
    yield "> [!CAUTION]"
    yield "> **This would delete data.**"
    for change in risks:
        why = f" (`{_code(', '.join(change.replaces))}` cannot be changed in place)" if change.replaces else ""
        what = f"`{_code(change.name)}` is {WORDS[change.operation]}{why}"
        yield f"> - {what}: {DATA_HOLDERS[change.type]} would be deleted."
    yield ">"
    if allowed:
        yield f"> The label `{LABEL}` allows it."
    else:
        yield f"> Blocked until this pull request has the label `{LABEL}`."
    yield ""


def _table(plan: Plan) -> Iterator[str]:
    if not plan.changes:
        return
    yield "| | resource | type | differs in |"
    yield "|---|---|---|---|"
    for change in plan.changes[:MAX_ROWS]:
        yield f"| {WORDS[change.operation]} | `{_code(change.name)}` | `{_code(change.type)}` | {_paths(change)} |"
    yield ""
    if len(plan.changes) > MAX_ROWS:
        yield f"... and {len(plan.changes) - MAX_ROWS} more; the workflow's log has them all."
        yield ""


def _paths(change: Change) -> str:
    shown = ", ".join(f"`{_code(path)}`" for path in change.properties[:MAX_PATHS])
    more = len(change.properties) - MAX_PATHS
    return f"{shown} and {more} more" if more > 0 else shown


def _cost(bill: Mapping[str, Any]) -> Iterator[str]:
    before, after = bill.get("beside"), bill
    total = _usd(after["total_usd_per_month"])
    yield "### Price"
    yield ""
    if before is None:
        yield f"**{total:,.2f} USD a month**; there is no stack file before this change to compare with."
        yield ""
        return
    difference = total - _usd(before["total_usd_per_month"])
    old = {line["name"]: _usd(line["usd_per_month"]) for line in before["lines"]}
    new = {line["name"]: _usd(line["usd_per_month"]) for line in after["lines"]}
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if not changed:
        yield f"No difference: {total:,.2f} USD a month, before and after."
    else:
        yield f"**{difference:+,.2f} USD a month**, to {total:,.2f}."
        yield ""
        yield "| line | before | after | difference |"
        yield "|---|--:|--:|--:|"
        for name in changed:
            was, becomes = old.get(name, Decimal(0)), new.get(name, Decimal(0))
            yield f"| {name} | {was:,.2f} | {becomes:,.2f} | {becomes - was:+,.2f} |"
    yield ""
    uncertain = [line["name"] for line in after["lines"] if line["confidence"] == "unverified"]
    if uncertain:
        low, high = after["range_usd_per_month"]
        yield f"Between {low:,.0f} and {high:,.0f} USD: the prices of {', '.join(uncertain)} are unverified."
    yield f"Not included: {after['not_included']}."
    yield ""


def _usd(value: float) -> Decimal:
    return Decimal(str(value)).quantize(CENT)


def _code(text: str) -> str:
    """Text for a code span in a table, without characters that would end either."""
    return text.replace("`", "'").replace("|", "\\|").replace("\n", " ")


def rejection_report(stack: str, versions: Sequence[Mapping[str, Any]], environment: Mapping[str, str]) -> str:
    """Markdown: the gate's reasons, and the model's metrics beside the champion's.

    `versions` are the rows of `personalize models`, `environment` has GitHub's variables.
    """
    rejected = next(row for row in versions if not row["accepted"])
    champion = next((row for row in versions if row["champion"]), None)
    beside = f" | version {champion['version']}, which serves" if champion else ""
    serving = f"Version {champion['version']} keeps serving." if champion else "Nothing serves yet."
    lines = [
        f"The gate of stack `{stack}` rejected model version {rejected['version']}. {serving}",
        "",
        *(f"- {reason}" for reason in rejected["reasons"]),
        "",
        f"| on held-out rows | version {rejected['version']}, rejected{beside} |",
        "|---|--:|" + ("--:|" if champion else ""),
    ]
    for key, title in MEASURES.items():
        if rejected[key] is None and (champion is None or champion[key] is None):
            continue
        other = f" {_number(champion[key])} |" if champion else ""
        lines.append(f"| {title} | {_number(rejected[key])} |{other}")
    data, code = rejected["manifest_hash"][:12], rejected["code_hash"][:12]
    lines += ["", f"Data `{data}`, code `{code}`, registered {rejected['registered']}."]
    if run := environment.get("GITHUB_RUN_ID"):
        server, repository = environment["GITHUB_SERVER_URL"], environment["GITHUB_REPOSITORY"]
        lines += ["", f"The full report is an artefact of [the run]({server}/{repository}/actions/runs/{run})."]
    lines += ["", "What to do: `docs/runbooks/failed-training.md`."]
    return "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def destroyed(stack: str, content: Mapping[str, Any]) -> Iterator[str]:
    """Markdown from the output of `personalize destroy --json`, which is empty if it was refused."""
    if "changes" not in content:
        yield f"Stack `{stack}` was not deleted."
        return
    yield f"Stack `{stack}` is deleted: {counted(content['changes'])}."
    left = content.get("left", [])
    costing = [one for one in left if one["billable"]]
    if "left" in content:
        yield ""
        yield f"**{len(costing)} thing(s) left that cost money.**" if costing else "Nothing is left that costs money."
    if left:
        yield ""
        yield "| costs money | kind | name | reason |"
        yield "|---|---|---|---|"
        for one in left:
            yield f"| {'yes' if one['billable'] else 'no'} | {one['kind']} | `{one['name']}` | {one['why']} |"


def counted(changes: Mapping[str, int]) -> str:
    """The number of resources by the engine's operation, in words."""
    return ", ".join(f"{count} {kind}" for kind, count in sorted(changes.items()) if count) or "nothing changed"
