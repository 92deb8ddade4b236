"""Two images compared: the figures that their pods report, and reasons against the new image."""

import math
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from scoring.worker.metrics import BUCKETS, PROBABILITY_BUCKETS
from steps.azure.candidate.comparison import Figures, enough, stability_index, total, worse

QUICK = (0.002,) * 1000
USUAL = tuple(np.random.default_rng(1).beta(2, 6, 1000))
OTHERS = tuple(np.random.default_rng(2).beta(2, 6, 1000))
HIGHER = tuple(np.random.default_rng(3).beta(6, 4, 1000))


def histogram(values: Sequence[float], bounds: Sequence[float]) -> Counter[float]:
    """Cumulative counts by upper bound, as in a Prometheus histogram."""
    return Counter({bound: sum(value <= bound for value in values) for bound in (*bounds, math.inf)})


def figures(
    failed: int = 0, seconds: Sequence[float] = QUICK, probabilities: Sequence[float] = USUAL, requests: int = 1000
) -> Figures:
    return Figures(requests, failed, histogram(seconds, BUCKETS), histogram(probabilities, PROBABILITY_BUCKETS))


SHOWN = """
from scoring.worker.metrics import Metrics, shared_folder
with shared_folder():
    metrics = Metrics()
    for status, seconds in ((200, 0.002), (200, 0.003), (503, 0.2), (400, 0.0002)):
        metrics.answered("score", status, seconds)
    metrics.answered("rank", 200, 0.002)
    metrics.scored([0.25, 0.5])
    print(metrics.render().decode())
"""
"""Runs in its own process, because prometheus_client must not have been imported yet."""


def test_the_figures_are_those_that_the_service_shows() -> None:
    text = subprocess.run([sys.executable, "-c", SHOWN], check=True, capture_output=True, text=True).stdout
    shown = Figures.read(text)
    assert (shown.requests, shown.failed) == (5, 1)
    assert shown.probabilities == histogram([0.25, 0.5], PROBABILITY_BUCKETS)
    assert shown.p99_seconds == 0.25
    assert str(shown) == "5 requests, 20.0% failed, p99 250 ms"


def test_pods_are_added_up_and_what_was_before_is_left_out() -> None:
    before = figures(requests=900, failed=3, seconds=QUICK[:900], probabilities=USUAL[:900])
    found = total([figures(failed=4).since(before)] * 2)
    assert (found.requests, found.failed) == (200, 2)
    assert found.seconds == histogram(QUICK[:200], BUCKETS)
    assert found.probabilities == histogram(USUAL[900:] * 2, PROBABILITY_BUCKETS)


@pytest.mark.parametrize(
    "candidate",
    [
        figures(probabilities=OTHERS),
        figures(failed=10),
        figures(seconds=(0.002,) * 980 + (0.02,) * 20),
        figures(requests=49, failed=49),
        figures(requests=499, seconds=(2.0,) * 499),
    ],
    ids=["chance", "a few errors", "not slow yet", "too little", "too little for the slowest hundredth"],
)
def test_nothing_speaks_against_a_candidate_that_does_as_well(candidate: Figures) -> None:
    assert worse(candidate, figures()) is None


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (figures(failed=40), "4.0% of its requests failed, 0.0% of those beside it"),
        (figures(seconds=(0.002,) * 980 + (0.05,) * 20), "took up to 50 ms, of those beside it up to 2.5 ms"),
        (figures(probabilities=HIGHER), "population stability index"),
    ],
    ids=["errors", "latency", "other probabilities"],
)
def test_a_candidate_that_does_worse_must_not_go_on(candidate: Figures, reason: str) -> None:
    assert reason in (worse(candidate, figures()) or "")


def test_both_may_fail_alike() -> None:
    assert worse(figures(failed=200), figures(failed=195)) is None


@pytest.mark.parametrize("records", [50, 200, 1000])
def test_a_shift_that_chance_explains_is_none(records: int) -> None:
    generator = np.random.default_rng(7)
    for _ in range(200):
        one, other = (figures(probabilities=generator.beta(2, 6, records).tolist()) for _ in range(2))
        assert worse(one, other) is None


def test_the_index_is_that_of_the_literature() -> None:
    assert stability_index(histogram(USUAL, PROBABILITY_BUCKETS), histogram(USUAL, PROBABILITY_BUCKETS)) == 0
    half, other = Counter({0.5: 500, 1.0: 1000}), Counter({0.5: 250, 1.0: 1000})
    assert stability_index(half, other) == pytest.approx(0.25 * math.log(2) - 0.25 * math.log(0.5 / 0.75), rel=0.01)


def test_an_image_that_does_not_count_probabilities_is_judged_by_the_rest() -> None:
    old = Figures(1000, 0, histogram(QUICK, BUCKETS))
    assert worse(figures(probabilities=HIGHER), old) is None
    assert enough(figures(), old)
