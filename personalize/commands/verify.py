"""`verify`: a stack's whole life on a real subscription, stage by stage, and Azure's answer to each assumption."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from infra.cost.estimate import HOURS_PER_MONTH, bill
from infra.cost.prices import PriceUnknownError
from infra.cost.scenarios import CANARIES_PER_MONTH
from personalize.commands.lifecycle import shown_operation
from personalize.stack.on_azure import require_azure
from personalize.terminal import options
from personalize.terminal.output import ExitCode, confirm, messages, print_json, results, say, tell
from personalize.verify.bench import Bench
from personalize.verify.record import Record, assumptions, record_file
from personalize.views.azure_plan import announce

if TYPE_CHECKING:
    from personalize.verify.stage import Stage

MARKS = {True: "[green]holds[/]", False: "[red]differs[/]", None: "[yellow]not seen[/]"}
HOURS = 3
"""Roughly how long a verification takes, for the price that is announced."""


def verify(
    *,
    begin: Annotated[
        str | None, typer.Option("--from", metavar="STAGE", help="Start with this stage, even if it was done before.")
    ] = None,
    only: Annotated[str | None, typer.Option("--only", metavar="STAGE", help="Run only this stage.")] = None,
    list_only: Annotated[bool, typer.Option("--list", help="Print the results so far, and run nothing.")] = False,
    stack: options.Stack = "dev",
    config_file: options.SettingsFile = None,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Test a stack's whole life on a real subscription, stage by stage. Run it first on a new one.

    It creates everything from scratch, then deletes it, and records Azure's real response wherever the simulation
    relies on an assumption. It resumes at the stage where it stopped. Costs a few dollars and takes two to four hours.
    """
    settings = require_azure(stack, config_file)
    from personalize.verify.runner import refuse_a_stack_in_use, run, wanted  # noqa: PLC0415 - see above
    from personalize.verify.stages import STAGES  # noqa: PLC0415 - see above

    record = Record.of(stack, settings.subscription)
    todo = [] if list_only else wanted(STAGES, record, begin=begin, only=only)
    bench = Bench(stack=stack, settings_file=config_file, shown=shown_operation, say=say)
    if todo:
        refuse_a_stack_in_use(todo, record, up=bench.session().exists())
        _agree(todo, bench, yes=yes)
        record = run(todo, bench, record, lambda line: messages.print(line, markup=False))
    if as_json:
        print_json(as_values(record))
    else:
        show(record, STAGES)
    if any(stage.status == "failed" for stage in record.stages.values()):
        raise typer.Exit(ExitCode.FAILED)


def _agree(todo: "Sequence[Stage]", bench: Bench, *, yes: bool) -> None:
    """Announce the stages and their price, and ask."""
    names = ", ".join(stage.name for stage in todo)
    if any(stage.changes for stage in todo):
        announce(bench.stack, bench.settings)
        messages.print(
            f"Stages: {names}. A failed stage can be repeated; the last one deletes everything.", markup=False
        )
        messages.print(f"About {HOURS} hours, {_price(bench, _life)}.", markup=False)
    elif any(stage.trains for stage in todo):
        messages.print(f"Stages: {names}. The stack stays as it is.", markup=False)
        messages.print(f"A run on a thousand rows, {_price(bench, _canary)}.", markup=False)
    else:
        return
    confirm("Begin?", yes=yes)


def _price(bench: Bench, of: Callable[[Bench], float]) -> str:
    """The highest price, in words."""
    try:
        return f"at most {of(bench):,.2f} USD at these prices"
    except PriceUnknownError:
        return "at an unknown price"


def _life(bench: Bench) -> float:
    """US dollars for those hours, with one training."""
    costs = bill(bench.stack, bench.settings)
    always = float(costs.total("always_on").high) / HOURS_PER_MONTH * HOURS
    return always + float(costs.total("training").high) / int(costs.scenario.trainings)


def _canary(bench: Bench) -> float:
    """US dollars for one canary run."""
    return float(bill(bench.stack, bench.settings).total("canary").high) / CANARIES_PER_MONTH


def as_values(record: Record) -> dict[str, Any]:
    """The record with every assumption in full, also those without an answer yet."""
    found = record.model_dump(mode="json")
    seen = {name: one for stage in found["stages"].values() for name, one in stage["seen"].items()}
    nothing = {"holds": None, "answer": ""}
    found["assumptions"] = [
        assumption.model_dump(mode="json") | seen.get(name, nothing) for name, assumption in assumptions().items()
    ]
    return found


def show(record: Record, stages: "Sequence[Stage]") -> None:
    """Print the stages with Azure's answers, and what only a person can check."""
    known = assumptions()
    for stage in stages:
        found = record.stages.get(stage.name)
        if found is None:
            results.print(f"[dim]{stage.name}: not run; {stage.title}, {stage.minutes} min[/]")
            continue
        mark = "[green]done[/]" if found.status == "done" else "[red]failed[/]"
        results.print(f"[bold]{stage.name}[/]: {mark} in {found.seconds:.0f} s. {escape(found.said)}")
        for name, seen in found.seen.items():
            results.print(f"  {MARKS[seen.holds]}  {escape(known[name].says)}")
            results.print(f"      Azure: {escape(seen.answer)}", style="dim")
            if seen.holds is False:
                results.print(f"      relied on in {', '.join(known[name].relied_on)}", style="red")
    if waits := [f"{what} {seconds:.0f} s" for what, seconds in sorted(record.waits.items())]:
        tell(f"Longest waits: {', '.join(waits)}.")
    by_hand = [one for one in known.values() if one.by_hand]
    results.print(f"\n{len(by_hand)} things that only a person can check:")
    for one in by_hand:
        tell(f"  {one.says} {one.by_hand}")
    tell(f"\nAll of it is in {record_file(record.stack)}.")
