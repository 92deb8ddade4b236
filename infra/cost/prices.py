"""Azure's prices: one table, with a confidence for each row."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

from features.errors import BadInputError

SNAPSHOT = Path(__file__).with_name("prices.json")
UNVERIFIED_MARGIN = Decimal("0.25")
"""Up and down, for an unverified price. An assumption: regions differ by up to that much."""
VM = "vm/"

Confidence = Literal["good", "fair", "unverified"]


class PriceUnknownError(BadInputError):
    """A resource of a stack has no price."""


@dataclass(frozen=True)
class Figure:
    """A number with its range; all three are equal if it is certain."""

    low: Decimal
    likely: Decimal
    high: Decimal

    @classmethod
    def exact(cls, value: Decimal | float) -> "Figure":
        """A certain number."""
        number = Decimal(str(value))
        return cls(number, number, number)

    def __add__(self, other: "Figure") -> "Figure":
        """The sum."""
        return Figure(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def __mul__(self, other: "Figure") -> "Figure":
        """The product; both are at least 0."""
        return Figure(self.low * other.low, self.likely * other.likely, self.high * other.high)


@dataclass(frozen=True, kw_only=True)
class Price:
    """A row of the table: USD per `unit`."""

    id: str
    usd: Figure
    unit: str
    region: str
    confidence: Confidence
    source: str
    cores: int | None = None
    """Of a VM size."""
    unit_of_measure: str = ""
    """The unit's name in Azure's price list."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Finds the row in Azure's price list; empty if unknown."""


@dataclass(frozen=True, kw_only=True)
class Prices:
    """The whole table."""

    as_of: str
    source: str
    region: str
    rows: Mapping[str, Price]
    notes: tuple[str, ...] = ()
    """Notes on the sources of rows."""

    def __getitem__(self, name: str) -> Price:
        """The row called `name`; raises `PriceUnknownError` if there is none."""
        if name not in self.rows:
            known = ", ".join(other.removeprefix(VM) for other in self.rows if other.startswith(VM))
            raise PriceUnknownError(
                f"No price is known for {name.removeprefix(VM)}. Known VM sizes are {known}; "
                "add a row to infra/cost/prices.json."
            )
        return self.rows[name]


@cache
def snapshot() -> Prices:
    """The table in the project."""
    content = json.loads(SNAPSHOT.read_text(encoding="utf-8"), parse_float=Decimal)
    rows = (_price(row, content["region"]) for row in content["rows"])
    return Prices(
        as_of=content["asOf"], source=content["source"], region=content["region"], rows={row.id: row for row in rows}
    )


def _price(row: Mapping[str, Any], region: str) -> Price:
    stated = {name: value for name, value in row.items() if name not in {"low", "high"}}
    return Price(**{"region": region, **stated, "usd": _figure(row)})


def _figure(row: Mapping[str, Any]) -> Figure:
    """A row gives `usd`, or `low` and `high` with the middle as the likely one."""
    if "usd" not in row:
        low, high = Decimal(row["low"]), Decimal(row["high"])
        return Figure(low, (low + high) / 2, high)
    value = Decimal(row["usd"])
    margin = UNVERIFIED_MARGIN if row["confidence"] == "unverified" else Decimal(0)
    return Figure(value * (1 - margin), value, value * (1 + margin))
