"""Azure's price list over HTTP: pages, retries and ambiguous answers.

The items are written by hand in the documented format, without recorded answers.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from tenacity import wait_none
from typer.testing import CliRunner

from features.errors import PersonalizationError
from infra.cost.prices import Figure, snapshot
from personalize import retail_prices
from personalize.commands.app import app
from personalize.retail_prices import ATTEMPTS, PriceList

ITEMS = json.loads((Path(__file__).parent / "retail_prices" / "hand_written_items.json").read_text())["Items"]
REGION = "swedencentral"
VM = "vm/Standard_D4s_v5"


@dataclass
class Api:
    """Filters as documented, and returns one item per page."""

    failures: list[int] = field(default_factory=list)
    """Status codes for the next answers; normal answers follow."""
    body: str | None = None
    """Overrides the normal answer's body."""
    requests: list[httpx.QueryParams] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        self.requests.append(query)
        wanted = dict(re.findall(r"(\w+) eq '([^']*)'", query["$filter"]))
        wanted["type"] = wanted.pop("priceType")
        found = [item for item in ITEMS if all(item[name] == value for name, value in wanted.items())]
        skip = int(query.get("$skip", "0"))
        more = str(request.url.copy_set_param("$skip", skip + 1))
        page = {"Items": found[skip : skip + 1], "NextPageLink": more if skip + 1 < len(found) else None}
        return httpx.Response(self.failures.pop(0) if self.failures else 200, text=self.body or json.dumps(page))


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def prices(api: Api) -> PriceList:
    return PriceList(transport=httpx.MockTransport(api), wait=wait_none())


def test_all_pages_are_read_and_only_linux_on_demand_counts(api: Api, prices: PriceList) -> None:
    row = prices.refreshed(snapshot(), {VM}, REGION)[VM]
    assert row.usd == Figure.exact(0.214)  # neither the spot price nor the Windows price
    assert (row.region, row.confidence) == (REGION, "good")
    assert len(api.requests) == 3


def test_the_question_is_the_documented_one(api: Api, prices: PriceList) -> None:
    prices.refreshed(snapshot(), {VM}, REGION)
    first = api.requests[0]
    assert first["$filter"].split(" and ") == [
        "serviceName eq 'Virtual Machines'",
        "armSkuName eq 'Standard_D4s_v5'",
        "armRegionName eq 'swedencentral'",
        "priceType eq 'Consumption'",
    ]
    assert first["currencyCode"] == "'USD'"
    assert first["api-version"] == "2023-01-01-preview"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("vm/Standard_E8s_v5", "two prices"),
        ("registry/Standard", "another unit"),
        ("registry/Basic", "no item"),
        ("nat-gateway", "no known name"),
    ],
)
def test_what_is_not_answered_clearly_stays_and_is_named(prices: PriceList, name: str, why: str) -> None:
    found = prices.refreshed(snapshot(), {name, VM}, REGION)
    assert found[name] == snapshot()[name], why
    assert found.notes == (f"not in Azure's price list under a name we know, from the snapshot of 2026-11: {name}",)


def test_a_busy_api_is_asked_again(api: Api, prices: PriceList) -> None:
    api.failures = [429, 503]
    assert prices.refreshed(snapshot(), {VM}, REGION)[VM].usd == Figure.exact(0.214)
    assert len(api.requests) == 5


def test_an_api_that_stays_away_is_one_sentence(api: Api, prices: PriceList) -> None:
    api.failures = [503] * 10
    with pytest.raises(PersonalizationError, match=r"cannot be read: .*503.*leave --live out"):
        prices.refreshed(snapshot(), {VM}, REGION)
    assert len(api.requests) == ATTEMPTS


@pytest.mark.parametrize("body", ["<html>", "[]", "{}", '{"Items": 3}', '{"Items": ['])
def test_an_answer_of_another_form_is_one_sentence(api: Api, prices: PriceList, body: str) -> None:
    api.body = body
    with pytest.raises(PersonalizationError, match="cannot be read"):
        prices.refreshed(snapshot(), {VM}, REGION)


def test_a_question_is_asked_once(api: Api, prices: PriceList) -> None:
    first = prices.refreshed(snapshot(), {VM}, REGION)
    asked = len(api.requests)
    assert prices.refreshed(snapshot(), {VM}, REGION)[VM] == first[VM]
    assert len(api.requests) == asked


def test_the_command_shows_live_prices_and_names_the_others(prices: PriceList, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retail_prices, "PriceList", lambda: prices)
    result = CliRunner().invoke(app, ["estimate", "--stack", "dev", "--live", "--json"], catch_exceptions=False)
    found = json.loads(result.stdout)
    [storage] = [line for line in found["lines"] if line["name"] == "storage Standard_LRS"]
    assert (storage["unit_price_usd"], storage["price"]["region"]) == (0.0196, REGION)
    [note] = found["prices"]["notes"]
    assert "vm/Standard_E4ds_v5" in note
    assert "storage/Standard_LRS" not in note
