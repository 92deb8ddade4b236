"""`estimate`: what a stack costs in a month, beside the scenario of Azure's reference architecture."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from features.errors import BadInputError
from infra.cost.capacity import QPS_PER_CORE, sized
from infra.cost.estimate import NOT_INCLUDED, Estimate, Part
from infra.cost.estimate import as_json as content
from infra.cost.estimate import estimate as bill
from infra.cost.prices import Figure, snapshot
from infra.cost.scenarios import Scenario, of_settings, reference
from infra.settings import azure_settings, load_settings
from personalize.stack.stack_files import StackFiles
from personalize.terminal import Json, print_json, results, say, tell
from tools.paths import ROOT

PARTS: dict[Part, str] = {"always_on": "always on", "training": "training"}
STACK_FILE = ".yaml"


def estimate(
    *,
    stack: Annotated[
        str, typer.Option("--stack", "-s", envvar="PERSONALIZE_STACK", help="The stack, or a stack file (`new.yaml`).")
    ] = "dev",
    compare: Annotated[
        str | None,
        typer.Option(help="Compare with this stack or stack file (`old.yaml`); by default with the reference."),
    ] = None,
    trainings: Annotated[float, typer.Option(min=0, max=10_000, help="Training runs per month.")] = 30,
    hours: Annotated[float, typer.Option(min=0, max=48, help="Hours per training run.")] = 1,
    qps: Annotated[
        float | None, typer.Option(min=0.1, help="Size the stack for this load, in single-record requests per second.")
    ] = None,
    qps_per_core: Annotated[
        float, typer.Option(min=1, help="With --qps: what a core can score in a second; a load generator measures it.")
    ] = QPS_PER_CORE,
    live: Annotated[
        bool, typer.Option("--live", help="Use Azure's current price list, not the project's snapshot.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Estimate the monthly price of a stack on Azure, line by line.

    The reference architecture of Azure's article is priced beside it.
    """
    load = None if qps is None else (qps, qps_per_core)
    wanted = _scenario(stack, trainings, hours, load)
    other = reference() if compare is None else _scenario(compare, trainings, hours)
    shown, beside = _estimates(wanted, other, live=live)
    if as_json:
        print_json(content(shown) | {"beside": content(beside)})
        return
    _show(shown, beside)


def _estimates(*wanted: Scenario, live: bool) -> list[Estimate]:
    prices = snapshot()
    found = [bill(one, prices) for one in wanted]
    if not live:
        return found
    from personalize.retail_prices import PriceList  # noqa: PLC0415 - an HTTP client that the snapshot does not need

    listed = PriceList()
    used = [{line.price.id for line in one.lines} for one in found]
    return [bill(one, listed.refreshed(prices, ids, one.region)) for one, ids in zip(wanted, used, strict=True)]


def _scenario(name: str, trainings: float, hours: float, load: tuple[float, float] | None = None) -> Scenario:
    named = name.endswith(STACK_FILE)
    files = StackFiles("estimated" if named else name, Path(name) if named else ROOT / f"Pulumi.{name}.yaml")
    values = files.committed().get("config") or {}
    if values.get("personalization:target") != "azure":
        raise BadInputError(f"Stack {name} is on this machine and costs nothing. Name a stack on Azure: `--stack dev`.")
    azure = azure_settings(load_settings(values))
    sizing: tuple[str, ...] = ()
    if load is not None:
        qps, qps_per_core = load
        azure = sized(azure, qps=qps, qps_per_core=qps_per_core)
        pods = f"replicas_min {azure.replicas_min}, replicas_max {azure.replicas_max}"
        nodes = f"scoring_nodes_min {azure.scoring_nodes_min}, scoring_nodes_max {azure.scoring_nodes_max}"
        measured = f"at {qps_per_core:,g} a second and core, {azure.cpu_millicores / 1000:g} cores a pod"
        sizing = (f"{qps:,g} requests a second need {pods}, {nodes}, {measured}",)
    found = of_settings(name, azure, trainings=trainings, hours_per_training=hours)
    return replace(found, assumptions=(*sizing, *found.assumptions))


def _show(shown: Estimate, beside: Estimate) -> None:
    for one in (shown, beside):
        results.print(_table(one))
        results.print("")
    less = shown.total().likely - beside.total().likely
    tell(f"{shown.scenario.name} less {beside.scenario.name}: {less:+,.2f} USD a month")
    for one in (shown, beside):
        for sentence in _remarks(one):
            say(f"{one.scenario.name}: {sentence}")

    say(f"not included: {NOT_INCLUDED}")


def _table(bill: Estimate) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", title_justify="left", title=bill.scenario.name)
    table.add_column("", no_wrap=True)
    for title in ("quantity", "USD each", "a month", "between"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("price", no_wrap=True)
    for part, name in PARTS.items():
        lines = [line for line in bill.lines if line.part == part]
        for line in lines:
            quantity = f"{line.quantity.likely.normalize():,f} {line.unit}"
            price = f"{line.price.usd.likely.normalize():f}"
            table.add_row(line.name, quantity, price, f"{line.usd.likely:,.2f}", _between(line.usd), line.confidence)
        total = bill.total(part)
        if lines:
            table.add_row(f"= {name}", "", "", f"{total.likely:,.2f}", _between(total), "", style="bold")
    total = bill.total()
    table.add_row("= a month", "", "", f"{total.likely:,.2f}", _between(total), "", style="bold")
    return table


def _between(usd: Figure) -> str:
    return "" if usd.low == usd.high else f"{usd.low:,.0f} - {usd.high:,.0f}"


def _remarks(bill: Estimate) -> list[str]:
    prices, region = bill.prices, bill.scenario.region
    elsewhere = "" if prices.region == region else f", though the stack is in {region} (--live asks for that region)"
    about = f"prices of {prices.as_of} for {prices.region}{elsewhere}: {prices.source}"
    return [*bill.scenario.assumptions, about, *prices.notes]
