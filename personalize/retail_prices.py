"""Prices from Azure's Retail Prices API, which needs no account. Prices without a clear answer stay unchanged."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential
from tenacity.wait import wait_base

from features.errors import PersonalizationError, reason
from infra.cost.prices import VM, Figure, Price, Prices

URL = "https://prices.azure.com/api/retail/prices"
VERSION = "2023-01-01-preview"
TIMEOUT_SECONDS = 20.0
ATTEMPTS = 4
NOT_ON_DEMAND = ("Spot", "Low Priority")


class PriceList:
    """The API with paging, retries and each query asked once. `transport` and `wait` are for tests."""

    def __init__(self, *, transport: httpx.BaseTransport | None = None, wait: wait_base | None = None) -> None:
        self._client = httpx.Client(timeout=TIMEOUT_SECONDS, transport=transport)
        self._wait = wait or wait_random_exponential(multiplier=1, max=20)
        self._known: dict[str, list[dict[str, Any]]] = {}

    def refreshed(self, prices: Prices, names: set[str], region: str) -> Prices:
        """`prices` with the API's prices of `names` for `region`. A note lists those that the API does not have."""
        rows, kept = dict(prices.rows), []
        for name in sorted(names):
            row = prices[name]
            found = self._price(row, region) if _query(row) else None
            if found is None:
                kept.append(name)
            else:
                rows[name] = found
        today = datetime.now(UTC).date().isoformat()
        note = f"not in Azure's price list under a name we know, from the snapshot of {prices.as_of}: {', '.join(kept)}"
        source = f"Azure's Retail Prices API for {region}, read just now"
        return replace(prices, rows=rows, as_of=today, source=source, region=region, notes=(note,) if kept else ())

    def _price(self, row: Price, region: str) -> Price | None:
        """The only price of the row; None if there are none, several, or prices for another unit."""
        # The API compares case-sensitively. Prices that are global have a region of their own.
        query = dict(_query(row))
        query.setdefault("armRegionName", region)
        query["priceType"] = "Consumption"
        condition = " and ".join(f"{name} eq '{value}'" for name, value in query.items())
        items = [
            item
            for item in self._items(condition)
            if "Windows" not in item["productName"] and not any(word in item["skuName"] for word in NOT_ON_DEMAND)
        ]
        paid = [item for item in items if item["retailPrice"] > 0]  # a first tier may be free
        if not paid or {item["unitOfMeasure"] for item in paid} != {row.unit_of_measure or "1 Hour"}:
            return None
        first = min(item["tierMinimumUnits"] for item in paid)
        usd = {item["retailPrice"] for item in paid if item["tierMinimumUnits"] == first}
        if len(usd) != 1:
            return None
        return replace(
            row, usd=Figure.exact(usd.pop()), region=region, confidence="good", source="Azure's Retail Prices API"
        )

    def _items(self, condition: str) -> list[dict[str, Any]]:
        """All pages of a query. Raises `PersonalizationError`."""
        if condition not in self._known:
            items: list[dict[str, Any]] = []
            parameters = {"api-version": VERSION, "currencyCode": "'USD'", "$filter": condition}
            link: str | None = str(httpx.URL(URL, params=parameters))
            while link:
                page = self._page(link)
                items += page["Items"]
                link = page["NextPageLink"]
            self._known[condition] = items
        return self._known[condition]

    def _page(self, link: str) -> dict[str, Any]:
        attempts = Retrying(
            stop=stop_after_attempt(ATTEMPTS), wait=self._wait, retry=retry_if_exception(_may_pass), reraise=True
        )
        try:
            answer = attempts(lambda: self._client.get(link).raise_for_status())
            page = json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)
            return {"Items": list(page["Items"]), "NextPageLink": page.get("NextPageLink")}
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise PersonalizationError(
                f"Azure's price list cannot be read: {reason(error)}. Try again later, or leave --live out to use the "
                "project's snapshot."
            ) from error


def _query(row: Price) -> Mapping[str, str]:
    if row.id.startswith(VM):
        return {"serviceName": "Virtual Machines", "armSkuName": row.id.removeprefix(VM)}
    return row.query


def _may_pass(error: BaseException) -> bool:
    """Whether a retry may help."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code == httpx.codes.TOO_MANY_REQUESTS or error.response.is_server_error
    return isinstance(error, httpx.TransportError)
