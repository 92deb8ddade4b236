"""The page at `/` of a service that recommends, in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright import sync_api as playwright

from tests.support.pages import LOWEST_CONTRAST, browser, opened_page
from tests.support.recommenders import (
    asked,
    make_recommending_bundle,
    ranking_recommender,
    write_snapshots,
)
from tests.support.services import RunningService, running_service

pytestmark = pytest.mark.slow
__all__ = ["browser"]


@pytest.fixture
def films(tmp_path: Path) -> Iterator[RunningService]:
    """A service that recommends by the users' age, too, and one new item: u1, who is 30, chose b."""
    bundle = make_recommending_bundle(tmp_path / "bundle", ranking_recommender())
    snapshots = write_snapshots(tmp_path / "snapshots", genres=dict.fromkeys(("a", "b", "c", "d", "17", "n"), "x"))
    with running_service(bundle, tmp_path, arguments=["--snapshots", str(snapshots), "--new-items", "1"]) as running:
        yield running


def _called(answer: Any) -> list[str]:
    return [item["columns"]["title"] for item in answer["items"]]


def test_what_is_recommended_is_shown_with_reasons_and_moves_with_the_user(
    browser: playwright.Browser, films: RunningService, tmp_path: Path
) -> None:
    with opened_page(browser, films) as page:
        best, past = page.locator("#best tbody tr"), page.locator("#past")
        page.get_by_role("button", name="Recommend").click()
        playwright.expect(page.locator("#recommend-error")).to_have_text("Name a user, or items that somebody chose.")
        page.get_by_label("A user's ID").fill("u1")
        page.keyboard.press("Enter")
        playwright.expect(best.locator("td:nth-child(2)")).to_have_text(_called(asked(films, user="u1")))
        playwright.expect(best.first).to_contain_text("because of Film b")
        playwright.expect(best.last.locator("td")).to_have_text(["5", "Film n", "new", ""])
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
        page.get_by_label("A user's ID").fill("")
        page.get_by_label("Or IDs of items").fill("b, never")
        page.keyboard.press("Enter")
        playwright.expect(page.locator("#fallback")).to_contain_text("Unknown items were left out.")
        for width in (360, 1100):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(LOWEST_CONTRAST) >= 4.5
            page.screenshot(path=tmp_path / f"recommended-{width}.png", full_page=True)
