"""The drift page shows first whether the data has drifted, then how far by column."""

import numpy as np
import pytest

from features.reference import Histogram, stability_index
from tests.training.unit.reports import Page
from training.evaluation.gate import drift_check
from training.evaluation.reference import Drift, Moved
from training.report.drift import render


def moved(name: str, *, shift: float = 0.0, missing: int = 0) -> Moved:
    generator = np.random.default_rng(0)
    histogram = Histogram.of(generator.normal(size=5_000))
    values = generator.normal(shift, 1, 5_000)
    values[:missing] = np.nan
    rows = histogram.count(values)
    return Moved(name=name, index=stability_index(histogram.rows, rows), reference=histogram, rows=tuple(rows.tolist()))


def drift_of(*columns: Moved) -> Drift:
    ordered = tuple(sorted(columns, key=lambda one: -one.index))
    return Drift(rows=5_000, chance=0.004, prediction=moved("prediction"), columns=ordered)


def page_of(drift: Drift, limit: float = 0.0) -> str:
    check = drift_check(drift, limit, of="model 0123")
    return render(drift, check, dataset="day <2>", bundle_hash="ab" * 32)


def test_the_page_is_whole_and_needs_nothing_but_itself() -> None:
    page = Page(page_of(drift_of(moved("price", shift=1.0), moved("shop"))))
    assert page.open == []
    assert all(reference.startswith("#") for reference in page.references)
    assert len(set(page.ids)) == len(page.ids)
    assert page.tags.count("svg") == 4


@pytest.mark.parametrize(
    ("shift", "limit", "heading"),
    [
        (0.0, 0.0, "No significant drift"),
        (1.0, 0.0, "The data has drifted<"),
        (1.0, 0.25, "Drift above the limit"),
        (1.0, 9.0, "The data has drifted<"),
    ],
)
def test_the_heading_says_how_it_is(shift: float, limit: float, heading: str) -> None:
    assert heading in page_of(drift_of(moved("price", shift=shift)), limit)


def test_the_column_that_moved_most_comes_first() -> None:
    page = page_of(drift_of(moved("shop"), moved("price", missing=2_500)))
    assert page.index('<th scope="row">price</th>') < page.index('<th scope="row">shop</th>')
    assert ">50.0%</td>" in page


def test_the_same_drift_gives_the_same_bytes_and_markup_stays_text() -> None:
    drift = drift_of(moved("<b>price</b>"))
    assert page_of(drift) == page_of(drift)
    assert "<b>price" not in page_of(drift)
    assert "day &lt;2&gt;" in page_of(drift)
