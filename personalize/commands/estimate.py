"""`estimate`: what a stack, or a scenario of Azure's reference architecture, costs in a month."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from features.errors import BadInputError
from infra.cost.capacity import DERIVED
from infra.cost.estimate import NOT_INCLUDED, Estimate, Part
from infra.cost.estimate import as_json as content
from infra.cost.estimate import estimate as bill
from infra.cost.prices import Figure, snapshot
from infra.cost.scenarios import ONE_MACHINE, REFERENCE, SCENARIOS, Scenario, of_settings
from infra.settings import NAMESPACE, azure_settings, load_settings
from personalize.stack.stack_files import StackFiles
from personalize.terminal import Json, print_json, results, say, tell
from steps.datasets import located
from training.parameters import Dataset, FilmsDataset, TablesDataset

PARTS: dict[Part, str] = {"always_on": "always on", "training": "training"}
STACK_FILE = ".yaml"


def estimate(
    *,
    stack: Annotated[
        str, typer.Option("--stack", "-s", envvar="PERSONALIZE_STACK", help="The stack, or a stack file (`new.yaml`).")
    ] = "dev",
    scenario: Annotated[
        str | None,
        typer.Option(
            help="Price a scenario, not a stack: `reference`, the one in Azure's article, or `one-machine`, the same "
            "with training on one machine."
        ),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(help="Compare with this stack, stack file (`old.yaml`) or scenario; by default the reference."),
    ] = None,
    trainings: Annotated[float, typer.Option(min=0, max=10_000, help="Training runs per month.")] = 30,
    hours: Annotated[float, typer.Option(min=0, max=48, help="Hours per training run.")] = 1,
    qps: Annotated[
        float | None,
        typer.Option(min=0.1, help="Size the stack for this load (requests per second), as `scoring.target_qps` does."),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Use Azure's current price list, not the project's snapshot.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Estimate the monthly price of a stack on Azure, line by line.

    The reference architecture of Azure's article is priced beside it.
    """
    if scenario is not None and scenario not in SCENARIOS:
        known = " or ".join(f"`{name}`" for name in SCENARIOS)
        raise BadInputError(f"--scenario can be {known}, not `{scenario}`.")
    if scenario is not None and qps is not None:
        raise BadInputError("--qps sizes a stack, and a scenario has fixed nodes: leave one of the two out.")
    first = scenario or stack
    other = compare or (REFERENCE if first != REFERENCE else ONE_MACHINE)
    shown, beside = _estimates(_scenario(first, trainings, hours, qps), _scenario(other, trainings, hours), live=live)
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


def _scenario(name: str, trainings: float, hours: float, qps: float | None = None) -> Scenario:
    if name in SCENARIOS:
        return SCENARIOS[name]()
    values = _settings_in(Path(name)) if name.endswith(STACK_FILE) else StackFiles(name).effective()
    if values.get("personalization:target") != "azure":
        raise BadInputError(f"Stack {name} is on this machine and costs nothing. Name a stack on Azure: `--stack dev`.")
    settings = load_settings(values if qps is None else _for_load(values, qps))
    azure = azure_settings(settings)
    found = of_settings(
        name, azure, recommends=_recommends(settings.dataset), trainings=trainings, hours_per_training=hours
    )
    if qps is None:
        return found
    pods = f"{azure.replicas_min} to {azure.replicas_max} pods of {azure.cpu_millicores / 1000:g} cores"
    measured = f"at {settings.scoring.qps_per_core:,.0f} a second and core"
    return replace(found, assumptions=(f"{qps:,g} requests a second: {pods}, {measured}", *found.assumptions))


def _for_load(values: Mapping[str, Any], qps: float) -> dict[str, Any]:
    """The settings of a stack with a target load in place of its numbers of pods and nodes."""
    scoring, azure = (values.get(f"{NAMESPACE}:{part}") or {} for part in ("scoring", "azure"))
    return {
        **values,
        f"{NAMESPACE}:scoring": {**scoring, "target_qps": qps},
        f"{NAMESPACE}:azure": {name: value for name, value in azure.items() if name not in DERIVED},
    }


def _recommends(dataset: Dataset) -> bool:
    if not isinstance(dataset, TablesDataset):
        return isinstance(dataset, FilmsDataset)
    from training.datasets import recommends  # noqa: PLC0415 - loads what other estimates do not need

    return recommends(located(dataset))


def _settings_in(file: Path) -> dict[str, Any]:
    """The settings of a stack file, without the overrides of this machine."""
    return StackFiles("estimated", file).committed().get("config") or {}


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
    found = [*bill.scenario.assumptions, f"prices of {prices.as_of} for {prices.region}{elsewhere}: {prices.source}"]
    found += prices.notes
    if bill.unverified:
        found.append(f"unverified prices or quantities, as ranges: {', '.join(line.name for line in bill.unverified)}")
    return found
