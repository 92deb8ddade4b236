"""The monthly bill: quantity times price for each line, in exact decimals, rounded to the cent."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal

from infra.azure_settings import AzureSettings, KubernetesTier, has_own_disk
from infra.cost.prices import VM, Confidence, Figure, Price, Prices, PriceUnknownError, snapshot
from infra.cost.scenarios import DAYS, DISK_GIB, Scenario, of_settings

HOURS_PER_MONTH = 730
CENT = Decimal("0.01")
NOT_INCLUDED = (
    "data that leaves the region or passes NAT gateway, load balancer or private endpoints, requests to storage and "
    "Key Vault, builds of the image, disks of the training cluster, support, taxes"
)

Part = Literal["always_on", "training"]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the bill."""

    name: str
    part: Part
    """When it runs: always, or during training."""
    quantity: Figure
    unit: str
    price: Price
    confidence: Confidence

    @property
    def usd(self) -> Figure:
        """USD per month: quantity times price, in whole cents."""
        product = self.quantity * self.price.usd
        return Figure(_cents(product.low), _cents(product.likely), _cents(product.high))


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A scenario's lines."""

    scenario: Scenario
    prices: Prices
    lines: tuple[Line, ...]

    def total(self, part: Part | None = None) -> Figure:
        """USD per month of all lines or of one part: the sum of the printed lines."""
        return sum((line.usd for line in self.lines if part in (None, line.part)), Figure.exact(0))


def estimate(scenario: Scenario, prices: Prices) -> Estimate:
    """The bill of a scenario; raises `PriceUnknownError` if something has no price."""
    return Estimate(
        scenario=scenario, prices=prices, lines=(*_always_on(scenario, prices), *_training(scenario, prices))
    )


def bill(stack: str, settings: AzureSettings) -> Estimate:
    """The monthly bill of the stack; raises `PriceUnknownError`."""
    return estimate(of_settings(stack, settings), snapshot())


def usd_per_month(stack: str, settings: AzureSettings) -> float | None:
    """The likely total in USD; None where the price of something in it is unknown, which must not stop an `up`."""
    try:
        return float(bill(stack, settings).total().likely)
    except PriceUnknownError:
        return None


def as_json(found: Estimate) -> dict[str, Any]:
    """The output of `estimate --json` for one scenario."""
    total = found.total()
    return {
        "name": found.scenario.name,
        "region": found.scenario.region,
        "total_usd_per_month": float(total.likely),
        "range_usd_per_month": [float(total.low), float(total.high)],
        "always_on_usd_per_month": float(found.total("always_on").likely),
        "training_usd_per_month": float(found.total("training").likely),
        "lines": [_line_json(line) for line in found.lines],
        "assumptions": list(found.scenario.assumptions),
        "not_included": NOT_INCLUDED,
        "prices": {"asOf": found.prices.as_of, "source": found.prices.source, "notes": list(found.prices.notes)},
    }


def _line_json(line: Line) -> dict[str, Any]:
    return {
        "name": line.name,
        "part": line.part,
        "quantity": float(line.quantity.likely),
        "unit": line.unit,
        "unit_price_usd": float(line.price.usd.likely),
        "usd_per_month": float(line.usd.likely),
        "range_usd_per_month": [float(line.usd.low), float(line.usd.high)],
        "confidence": line.confidence,
        "price": {"id": line.price.id, "region": line.price.region, "source": line.price.source},
    }


def _always_on(scenario: Scenario, prices: Prices) -> Iterator[Line]:
    for pool in scenario.pools:
        yield _line(pool.name, prices[VM + pool.size], pool.nodes * HOURS_PER_MONTH)
    if disks := sum(pool.nodes for pool in scenario.pools if not has_own_disk(pool.size)):
        yield _line("disks of the nodes", prices[f"disk/{DISK_GIB}"], disks)
    if scenario.kubernetes_tier is KubernetesTier.STANDARD:
        yield _line("AKS tier Standard", prices["kubernetes/Standard"], HOURS_PER_MONTH)
    if scenario.nat_gateways:
        yield _line("NAT gateway", prices["nat-gateway"], scenario.nat_gateways)
    yield _line("load balancer", prices["load-balancer"], HOURS_PER_MONTH)
    if scenario.public_addresses:
        yield _line("public addresses", prices["public-address"], scenario.public_addresses * HOURS_PER_MONTH)
    if scenario.private_endpoints:
        yield _line("private endpoints", prices["private-endpoint"], scenario.private_endpoints * HOURS_PER_MONTH)
        yield _line("private DNS zones", prices["private-zone"], scenario.private_zones)
    if scenario.metric_alerts:
        yield _line("metric alerts", prices["alert/metric"], scenario.metric_alerts)
        yield _line("query alerts", prices["alert/query"], scenario.query_alerts)
    yield _line(f"registry {scenario.registry_tier}", prices[f"registry/{scenario.registry_tier}"], DAYS)
    yield _line(f"storage {scenario.replication}", prices[f"storage/{scenario.replication}"], scenario.stored_gb)
    if scenario.log_gb:
        cap = Decimal(str(scenario.log_gb))
        yield _line("logs, at most", prices["logs"], Figure(Decimal(0), cap, cap))


def _training(scenario: Scenario, prices: Prices) -> Iterator[Line]:
    size, per_core = prices[VM + scenario.training_size], prices["databricks/dbu-per-core"]
    if size.cores is None:
        raise PriceUnknownError(f"How many cores a {scenario.training_size} has is not in infra/cost/prices.json.")
    hours = (
        Decimal(scenario.training_nodes) * Decimal(str(scenario.trainings)) * Decimal(str(scenario.hours_per_training))
    )
    yield _line("training nodes", size, hours, part="training")
    units = Figure.exact(size.cores) * per_core.usd
    trained = Figure.exact(hours) * units
    yield _line("Databricks units", prices["databricks/dbu"], trained, part="training", confidence=per_core.confidence)


def _line(
    name: str,
    price: Price,
    quantity: Figure | Decimal | float,
    *,
    part: Part = "always_on",
    confidence: Confidence | None = None,
) -> Line:
    """A line of the bill. If the quantity is less certain than the price, `confidence` is the quantity's."""
    return Line(
        name=name,
        part=part,
        quantity=quantity if isinstance(quantity, Figure) else Figure.exact(quantity),
        unit=price.unit,
        price=price,
        confidence=price.confidence if confidence is None else confidence,
    )


def _cents(usd: Decimal) -> Decimal:
    return usd.quantize(CENT, ROUND_HALF_UP)
