"""What a stack costs in a month as a single number, or None where a price is unknown."""

from infra.azure_settings import AzureSettings
from infra.cost.estimate import Estimate, estimate
from infra.cost.prices import PriceUnknownError, snapshot
from infra.cost.scenarios import of_settings


def bill(stack: str, settings: AzureSettings) -> Estimate:
    """What the stack costs in a month; raises `PriceUnknownError`."""
    return estimate(of_settings(stack, settings), snapshot())


def usd_per_month(stack: str, settings: AzureSettings) -> float | None:
    """The likely sum; None where nobody knows the price of something in it, which must not stop an `up`."""
    try:
        return float(bill(stack, settings).total().likely)
    except PriceUnknownError:
        return None
