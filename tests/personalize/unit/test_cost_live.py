"""Azure's price list over HTTP: pages, retries, the cache, and ambiguous answers.

The items are written by hand in the documented format, without recorded answers.
"""

import functools
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from tenacity import wait_none
from typer.testing import CliRunner

from features.errors import PersonalizationError
from infra.cost.prices import Figure, snapshot
from personalize import retail_prices
from personalize.commands import estimate
from personalize.commands.app import app
from personalize.retail_prices import ATTEMPTS, CACHE_SECONDS, PriceList

ITEMS = json.loads((Path(__file__).parent / "retail_prices" / "hand_written_items.json").read_text())["Items"]
REGION = "westeurope"
VM = "vm/Standard_D4s_v5"


@dataclass
class Api:
    """A server that filters as documented and returns one item per page."""

    url: str = ""
    failures: list[int] = field(default_factory=list)
    """Status codes for the next answers; normal answers follow."""
    body: str | None = None
    """Overrides the normal answer's body."""
    requests: list[dict[str, list[str]]] = field(default_factory=list)

    def page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        wanted = dict(re.findall(r"(\w+) eq '([^']*)'", query["$filter"][0]))
        wanted["type"] = wanted.pop("priceType")
        found = [item for item in ITEMS if all(item[name] == value for name, value in wanted.items())]
        skip = int(query.get("$skip", ["0"])[0])
        more = f"{self.url}?$filter={quote(query['$filter'][0])}&$skip={skip + 1}"
        return {
            "BillingCurrency": "USD",
            "CustomerEntityId": "Default",
            "CustomerEntityType": "Retail",
            "Items": found[skip : skip + 1],
            "NextPageLink": more if skip + 1 < len(found) else None,
            "Count": len(found[skip : skip + 1]),
        }


@pytest.fixture
def api() -> Iterator[Api]:
    """The server, on its own port."""
    state = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.requests.append(query := parse_qs(urlsplit(self.path).query))
            status = state.failures.pop(0) if state.failures else 200
            body = (state.body or json.dumps(state.page(query))).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/api/retail/prices"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def prices(api: Api, tmp_path: Path) -> PriceList:
    return PriceList(tmp_path / "prices", url=api.url, wait=wait_none())


def test_all_pages_are_read_and_only_linux_on_demand_counts(api: Api, prices: PriceList) -> None:
    row = prices.refreshed(snapshot(), {VM}, REGION)[VM]
    assert row.usd == Figure.exact(0.214)  # neither the spot price nor the Windows price
    assert (row.region, row.confidence) == (REGION, "good")
    assert len(api.requests) == 3


def test_the_question_is_the_documented_one(api: Api, prices: PriceList) -> None:
    prices.refreshed(snapshot(), {VM}, REGION)
    first = api.requests[0]
    assert first["$filter"][0].split(" and ") == [
        "serviceName eq 'Virtual Machines'",
        "armSkuName eq 'Standard_D4s_v5'",
        "armRegionName eq 'westeurope'",
        "priceType eq 'Consumption'",
    ]
    assert first["currencyCode"] == ["'USD'"]
    assert first["api-version"] == ["2023-01-01-preview"]


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
    with pytest.raises(PersonalizationError, match=r"cannot be read: .*status 503.*leave --live out"):
        prices.refreshed(snapshot(), {VM}, REGION)
    assert len(api.requests) == ATTEMPTS


@pytest.mark.parametrize("body", ["<html>", "[]", "{}", '{"Items": 3}', '{"Items": ['])
def test_an_answer_of_another_form_is_one_sentence(api: Api, prices: PriceList, body: str) -> None:
    api.body = body
    with pytest.raises(PersonalizationError, match="cannot be read"):
        prices.refreshed(snapshot(), {VM}, REGION)


def test_an_answer_is_good_for_a_day(api: Api, prices: PriceList, tmp_path: Path) -> None:
    first = prices.refreshed(snapshot(), {VM}, REGION)
    asked = len(api.requests)
    assert prices.refreshed(snapshot(), {VM}, REGION)[VM] == first[VM]
    assert len(api.requests) == asked
    [file] = (tmp_path / "prices").iterdir()
    old = time.time() - CACHE_SECONDS - 1
    os.utime(file, (old, old))
    prices.refreshed(snapshot(), {VM}, REGION)
    assert len(api.requests) == 2 * asked


def test_the_command_shows_live_prices_and_names_the_others(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retail_prices, "PriceList", functools.partial(PriceList, url=api.url, wait=wait_none()))
    monkeypatch.setattr(estimate, "cache_folder", lambda: tmp_path)
    result = CliRunner().invoke(app, ["estimate", "--stack", "dev", "--live", "--json"], catch_exceptions=False)
    found = json.loads(result.stdout)
    [storage] = [line for line in found["lines"] if line["name"] == "storage Standard_LRS"]
    assert (storage["unit_price_usd"], storage["price"]["region"]) == (0.0196, REGION)
    [note] = found["prices"]["notes"]
    assert "vm/Standard_E4ds_v5" in note
    assert "storage/Standard_LRS" not in note
