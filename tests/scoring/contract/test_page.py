"""The page at `/` in a real browser: with a mouse, with the keyboard only, with and without a password, and with
recommendations."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright import sync_api as playwright

from features.bundle import Bundle
from scoring.model.model import BATCH_ROWS
from scoring.worker.metrics import PROBABILITY_BUCKETS
from tests.support.pages import LOWEST_CONTRAST, browser, opened_page
from tests.support.ports import free_port
from tests.support.recommenders import (
    asked,
    make_bundle_of_positives,
    make_recommending_bundle,
    ranking_recommender,
    recommender,
    write_snapshots,
)
from tests.support.services import KEY, RunningService, metric, running_service, wait_until

pytestmark = pytest.mark.slow
__all__ = ["browser"]

RENEWED = 5_000
"""The page refreshes its figures within this many milliseconds."""


@pytest.fixture
def page(browser: playwright.Browser, service: RunningService) -> Iterator[playwright.Page]:
    """The page; fails if it reports errors or sends requests to other hosts."""
    with opened_page(browser, service) as found:
        yield found


@pytest.fixture
def busy(bundle: Bundle, tmp_path: Path) -> Iterator[RunningService]:
    """A service with two workers and no other clients."""
    arguments = ["--workers", "2", "--model-name", "clicks", "--model-version", "7"]
    with running_service(bundle.path, tmp_path, arguments=arguments) as running:
        yield running


def test_the_page_lets_only_its_own_script_run(service: RunningService) -> None:
    answer = service.client.get("/")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http://" not in answer.text.replace("http://www.w3.org", "")
    assert "https://" not in answer.text


def test_a_record_is_scored_and_explained(page: playwright.Page, bundle: Bundle) -> None:
    golden = bundle.click_model.golden[0]
    page.get_by_label("Record as JSON").fill(json.dumps(golden.record))
    page.get_by_role("button", name="Score").click()
    shown = page.locator("#probability")
    playwright.expect(shown).to_be_visible()
    assert float(shown.inner_text().rstrip("%")) == pytest.approx(golden.probability * 100, abs=0.01)
    rows = page.locator("#contributions tbody tr:visible")
    assert rows.count() == 12
    page.get_by_role("button", name="Show all").click()
    assert rows.count() > 12
    widths = page.locator("#contributions .bar i").evaluate_all("bars => bars.map(bar => bar.offsetWidth)")
    assert widths[0] == max(widths) > 20


def test_items_are_ranked_with_the_keyboard_alone(page: playwright.Page, service: RunningService) -> None:
    page.locator("#query").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#figures"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "record"
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "query"
    query = {"user": {"int00": 1}, "items": [{"int01": value} for value in (1, 500, 3)]}
    page.keyboard.insert_text(json.dumps(query))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("#ranking tbody tr").nth(2).wait_for()
    expected = [item["index"] + 1 for item in service.client.post("/rank", json=query).json()["items"]]
    names = page.locator("#ranking tbody tr td:nth-child(2)").all_inner_texts()
    assert [int(name.split(".")[0]) for name in names] == expected


def test_the_page_asks_for_the_key_only_where_the_browser_was_not_asked(
    browser: playwright.Browser, bundle: Bundle, tmp_path: Path
) -> None:
    port = free_port()
    with (
        running_service(bundle.path, tmp_path, arguments=["--inside-port", str(port)]) as service,
        opened_page(browser, service, at=f"http://127.0.0.1:{port}", password=None) as page,
    ):
        key, problem = page.get_by_label("The stack's key"), page.locator("#record-error")
        playwright.expect(key).to_be_hidden()
        page.get_by_label("Record as JSON").fill("{}")
        page.get_by_role("button", name="Score").click()
        playwright.expect(problem).to_have_text("Enter the key first.")
        key.fill("not-the-key-of-this-stack")
        page.get_by_role("button", name="Score").click()
        playwright.expect(problem).to_contain_text("Send a valid key")
        playwright.expect(page.locator("#score")).to_be_hidden()
        key.fill(KEY)
        page.get_by_role("button", name="Score").click()
        playwright.expect(page.locator("#score")).to_be_visible()


def test_what_is_wrong_with_a_record_is_said_beside_it(page: playwright.Page) -> None:
    text = page.get_by_label("Record as JSON")
    for content, sentence in (("{", "not JSON"), ('{"colour": 1}', "colour is unknown")):
        text.fill(content)
        page.get_by_role("button", name="Score").click()
        playwright.expect(page.locator("#record-error")).to_contain_text(sentence)
        assert text.get_attribute("aria-invalid") == "true"


def test_the_figures_are_those_of_the_metrics(
    browser: playwright.Browser, busy: RunningService, bundle: Bundle
) -> None:
    with opened_page(browser, busy) as page:
        traffic = page.get_by_role("table", name="Traffic")
        # The browser's first request had no key and was refused, so it is no traffic.
        page.clock.install()
        page.clock.pause_at(datetime.now(UTC) + timedelta(hours=1))
        page.reload()
        playwright.expect(_cells(traffic, "Requests")).to_have_text(["…", "0"])
        page.clock.run_for(RENEWED)
        playwright.expect(_cells(traffic, "Requests")).to_have_text(["0", "0"])
        playwright.expect(page.locator("#glance")).to_have_text("No requests in the last minute.")
        playwright.expect(page.locator("#compared-rows")).to_contain_text("Drift is shown once")
        records = [dict(golden.record) | {"int03": 1e6} for golden in bundle.click_model.golden] * (
            BATCH_ROWS // len(bundle.click_model.golden)
        )
        for _ in range(4):  # either worker may answer
            assert busy.client.post("/score", json={"records": records}).status_code == 200
        assert busy.client.post("/score", json={"colour": 1}).status_code == 400
        wait_until(lambda: metric(busy, "scoring_requests_total") >= 5)
        wait_until(lambda: metric(busy, "scoring_compared_rows_total") >= BATCH_ROWS)
        page.clock.run_for(RENEWED)
        playwright.expect(_cells(traffic, "Requests")).to_have_text(["5", "5"])
        playwright.expect(_cells(traffic, "Client errors")).to_have_text(["1 (20%)", "1 (20%)"])
        playwright.expect(_cells(traffic, "Server errors")).to_have_text(["0 (0%)", "0 (0%)"])
        playwright.expect(_cells(traffic, "Records scored")).to_have_text([f"{4 * len(records):,}"] * 2)
        playwright.expect(_cells(traffic, "99th percentile")).to_have_text([re.compile("ms|s")] * 2)
        assert 0 < float(_cells(traffic, "CPU per worker").first.inner_text().rstrip("%")) < 100
        playwright.expect(page.locator("#serving")).to_have_text("Version 7, by 2 processes, 2 ready")
        playwright.expect(page.locator("#glance")).to_contain_text("none failed")
        shares = page.locator("#predictions tbody td:nth-child(2)").all_inner_texts()
        assert len(shares) == len(PROBABILITY_BUCKETS)
        assert sum(float(share.rstrip("%")) for share in shares) == pytest.approx(100, abs=1)
        playwright.expect(_cells(page.get_by_role("table", name="Drift"), "int03").nth(1)).to_have_text("shifted")


def _cells(table: playwright.Locator, figure: str) -> playwright.Locator:
    """The cells of the row whose heading begins with `figure`."""
    return table.locator("tr", has=table.page.locator("th", has_text=re.compile(f"^{figure}"))).first.locator("td")


@pytest.fixture
def films(tmp_path: Path) -> Iterator[RunningService]:
    """A service that recommends by the users' age, too, and one new item: u1, who is 30, chose b."""
    bundle = make_recommending_bundle(tmp_path / "bundle", ranking_recommender())
    genres = dict.fromkeys(("a", "b", "c", "d", "17", "n"), "x|y")
    snapshots = write_snapshots(tmp_path / "snapshots", genres=genres, show=("title", "price", "genre"))
    with running_service(
        bundle, tmp_path, arguments=["--snapshots", str(snapshots), "--new-items", "1", "--title", "Film club"]
    ) as running:
        yield running


def _called(answer: Any) -> list[str]:
    return [item["columns"]["title"] for item in answer["items"]]


def test_what_is_recommended_is_shown_with_reasons_and_moves_with_the_user(
    browser: playwright.Browser, films: RunningService, tmp_path: Path
) -> None:
    with opened_page(browser, films) as page:
        best, past = page.locator("#best tbody tr"), page.locator("#past")
        playwright.expect(page.locator("h1")).to_have_text("Film club")
        does = "It recommends items to users, and says why; it estimates how likely a click is. Model version"
        playwright.expect(page.locator("#model")).to_contain_text(does)
        playwright.expect(best.locator("td:nth-child(2)")).to_have_text(_called(asked(films, history=["a", "b"])))
        playwright.expect(past.get_by_text("Film a, Film b")).to_be_visible()
        playwright.expect(page.get_by_label("Record as JSON")).to_be_hidden()
        page.get_by_label("Or IDs of items").fill("")
        page.get_by_role("button", name="Recommend").click()
        playwright.expect(page.locator("#recommend-error")).to_have_text("Name a user, or items that somebody chose.")
        page.get_by_role("button", name="Use an example").first.click()
        page.get_by_label("User ID").fill("u1")
        playwright.expect(page.get_by_label("Or IDs of items")).to_have_value("")
        page.keyboard.press("Enter")
        playwright.expect(best.locator("td:nth-child(2)")).to_have_text(_called(asked(films, user="u1")))
        playwright.expect(best.first).to_contain_text("Because they chose Film b.")
        new = ["5", "Film n", "9.5", "x, y", "New: nobody has chosen it yet."]
        playwright.expect(best.last.locator("td")).to_have_text(new)  # none has moved, so there is no such column
        playwright.expect(page.locator("#best thead th")).to_have_text(["", "title", "price", "genre", "Why"])
        playwright.expect(past).to_contain_text("What they chose: 1 item")
        past.locator("summary").click()
        playwright.expect(past.get_by_text("Film b")).to_be_visible()
        age = page.get_by_label("age")
        playwright.expect(age).to_have_value("30")
        age.fill("70")
        age.press("Enter")
        older = asked(films, user="u1", context={"age": 70})
        assert _called(older) != _called(asked(films, user="u1"))
        playwright.expect(best.locator("td:nth-child(2)")).to_have_text(_called(older))
        playwright.expect(best.first).to_contain_text("↑")
        playwright.expect(page.locator("#best thead th").last).to_have_text("Moved")
        page.get_by_role("button", name="Use an example").first.click()
        playwright.expect(page.get_by_label("Or IDs of items")).to_have_value("a, b")
        playwright.expect(best.locator("td:nth-child(2)")).to_have_text(_called(asked(films, history=["a", "b"])))
        page.get_by_label("Or IDs of items").fill("b, never")
        page.keyboard.press("Enter")
        playwright.expect(page.locator("#fallback")).to_contain_text("Unknown items were left out.")
        for width in (360, 1100):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(LOWEST_CONTRAST) >= 4.5
            page.screenshot(path=tmp_path / f"recommended-{width}.png", full_page=True)


def test_a_model_without_clicks_scores_nothing_on_the_page(browser: playwright.Browser, tmp_path: Path) -> None:
    bundle = make_bundle_of_positives(tmp_path / "bundle", recommender())
    with running_service(bundle, tmp_path) as service, opened_page(browser, service) as page:
        page.get_by_role("button", name="Use an example").click()
        playwright.expect(page.locator("#best thead th")).to_have_text(["", "Item", "Why"])
        playwright.expect(page.locator("#best tbody tr").first.locator("td").nth(1)).to_have_text("c")
        playwright.expect(page.get_by_text("Requests per second")).to_be_visible()
        for words in ("JSON", "Records scored", "Click probabilities", "Drift"):
            playwright.expect(page.get_by_text(words, exact=False).locator("visible=true")).to_have_count(0)
