"""The service's page in a real browser, for tests."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright import sync_api as playwright

from tests.support.services import KEY, RunningService

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MILLISECONDS = 30_000
"""Timeout of Playwright's expectations."""
playwright.expect.set_options(timeout=MILLISECONDS)


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    """Chromium; skips the tests without it."""
    with playwright.sync_playwright() as driver:
        command = next((path for name in BROWSERS if (path := shutil.which(name))), driver.chromium.executable_path)
        if not Path(command).exists():
            pytest.skip("there is no Chromium (`make test-tools` gets it)")
        found = driver.chromium.launch(executable_path=command, args=["--no-sandbox"])
        yield found
        found.close()


def plain_address(url: str) -> str:
    """An address without a name and a password."""
    return re.sub("//.*@", "//", url)


@contextmanager
def opened_page(
    browser: playwright.Browser, service: RunningService, *, at: str = "", password: str | None = KEY
) -> Iterator[playwright.Page]:
    """The service's page in a browser that was given the key as a password, unless it was not."""
    signed_in: Any = {} if password is None else {"http_credentials": {"username": "", "password": password}}
    context = browser.new_context(reduced_motion="reduce", **signed_in)
    opened = context.new_page()
    opened.set_default_timeout(MILLISECONDS)
    complaints: list[str] = []
    elsewhere: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    own = plain_address(at or service.url)
    opened.on(
        "request", lambda asked: None if plain_address(asked.url).startswith(own) else elsewhere.append(asked.url)
    )
    opened.goto(at or service.url)
    yield opened
    context.close()
    assert [one for one in elsewhere if not one.startswith("data:")] == []
    assert [one for one in complaints if "status of" not in one] == []


LOWEST_CONTRAST = """() => {
    const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
    const luminance = (colour) => {
        const [r, g, b] = colour.map((value) => value / 255)
            .map((value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        for (; element; element = element.parentElement) {
            const colour = rgb(getComputedStyle(element).backgroundColor);
            if (colour.length === 3 || colour[3] > 0) return colour.slice(0, 3);
        }
        return [255, 255, 255];
    };
    let lowest = 21;
    for (const element of document.querySelectorAll("body *")) {
        const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!text || !element.offsetParent || element.closest("script")) continue;
        const [a, b] = [luminance(rgb(getComputedStyle(element).color).slice(0, 3)), luminance(ground(element))];
        lowest = Math.min(lowest, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
    }
    return lowest;
}"""
