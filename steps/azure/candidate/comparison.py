"""Compares the metrics of two images that serve side by side, to find whether the new one is worse.

The candidate is compared with the other pods at the same time, not with fixed numbers, because both get the same kind
of requests. A difference counts only if it is larger than chance explains.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
from prometheus_client.parser import text_string_to_metric_families

from features import reference

MIN_REQUESTS = 50
"""With fewer, no comparison is made."""
MIN_REQUESTS_FOR_LATENCY = 500
"""With fewer, the 99th percentile means nothing."""
MORE_FAILURES = 0.01
"""Accepted increase of the failure rate, in addition to chance."""
DEVIATIONS = 3.0
"""Differences up to this many standard errors count as chance."""
TIMES_SLOWER = 2.5
"""Accepted ratio of the 99th percentiles. The metrics' buckets are this far apart, so the next bucket is accepted."""
SLOW_SECONDS = 0.025
"""A 99th percentile up to this is never too slow."""
CHANCE_QUANTILE = 3.09
"""The 0.999 quantile of the normal distribution: bounds an index by chance alone."""
FAILED = "5"
"""First digit of the statuses that count as failures."""
FIGURES = {"scoring_requests_total", "scoring_request_seconds_bucket", "scoring_probability_bucket"}


@dataclass(frozen=True)
class Figures:
    """Requests, failed requests, and two cumulative histograms: counts by the buckets' upper bounds."""

    requests: float = 0.0
    failed: float = 0.0
    seconds: Counter[float] = field(default_factory=Counter)
    """Requests by latency in seconds."""
    probabilities: Counter[float] = field(default_factory=Counter)
    """Records by predicted click probability."""

    @classmethod
    def read(cls, text: str) -> Self:
        """The figures in a pod's `/metrics`."""
        requests = failed = 0.0
        histograms: dict[str, Counter[float]] = {name: Counter() for name in FIGURES}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == "scoring_requests_total":
                    requests += sample.value
                    failed += sample.value if sample.labels["status"].startswith(FAILED) else 0.0
                elif sample.name in FIGURES:
                    histograms[sample.name][float(sample.labels["le"])] += int(sample.value)
        return cls(
            requests, failed, histograms["scoring_request_seconds_bucket"], histograms["scoring_probability_bucket"]
        )

    def since(self, before: "Figures") -> "Figures":
        """The counts since `before`."""
        return Figures(
            self.requests - before.requests,
            self.failed - before.failed,
            _minus(self.seconds, before.seconds),
            _minus(self.probabilities, before.probabilities),
        )

    @property
    def failures(self) -> float:
        """Share of the requests that failed."""
        return self.failed / self.requests if self.requests else 0.0

    @property
    def p99_seconds(self) -> float:
        """Upper bound of the bucket with the 99th percentile."""
        wanted = 0.99 * self.seconds[math.inf]
        return min((bound for bound, count in self.seconds.items() if count >= wanted), default=0.0)

    def __str__(self) -> str:
        """For progress messages."""
        return f"{self.requests:,.0f} requests, {self.failures:.1%} failed, p99 {self.p99_seconds * 1000:g} ms"


def total(figures: Iterable[Figures]) -> Figures:
    """The sum over several pods."""
    everything = list(figures)
    return Figures(
        sum(one.requests for one in everything),
        sum(one.failed for one in everything),
        _sum(one.seconds for one in everything),
        _sum(one.probabilities for one in everything),
    )


def enough(candidate: Figures, stable: Figures) -> bool:
    """Whether both served enough requests for a comparison."""
    return min(candidate.requests, stable.requests) >= MIN_REQUESTS


def worse(candidate: Figures, stable: Figures) -> str | None:
    """How the candidate is worse, in words; None if it is not, or if there were too few requests."""
    if not enough(candidate, stable):
        return None
    return _fails_more(candidate, stable) or _slower(candidate, stable) or _shifted(candidate, stable)


def stability_index(candidate: Counter[float], stable: Counter[float]) -> float:
    """Population stability index of two cumulative histograms with the same bounds; 0 for the same shape."""
    return reference.stability_index(_buckets(stable), _buckets(candidate))


def _fails_more(candidate: Figures, stable: Figures) -> str | None:
    pooled = (candidate.failed + stable.failed) / (candidate.requests + stable.requests)
    error = math.sqrt(pooled * (1 - pooled) * (1 / candidate.requests + 1 / stable.requests))
    if candidate.failures - stable.failures <= MORE_FAILURES + DEVIATIONS * error:
        return None
    return f"{candidate.failures:.1%} of its requests failed, {stable.failures:.1%} of those beside it"


def _slower(candidate: Figures, stable: Figures) -> str | None:
    if min(candidate.requests, stable.requests) < MIN_REQUESTS_FOR_LATENCY:
        return None
    if candidate.p99_seconds <= max(SLOW_SECONDS, TIMES_SLOWER * stable.p99_seconds):
        return None
    return (
        f"99 of 100 of its answers took up to {candidate.p99_seconds * 1000:g} ms, of those beside it up to "
        f"{stable.p99_seconds * 1000:g} ms"
    )


def _shifted(candidate: Figures, stable: Figures) -> str | None:
    """Without a shift the index is `chance_index` times a chi-square variable divided by its degrees of freedom.

    There is one degree less than buckets. The quantile is Wilson and Hilferty's approximation (1931).
    """
    new, old = candidate.probabilities, stable.probabilities
    if new.keys() != old.keys() or min(new[math.inf], old[math.inf]) < MIN_REQUESTS:
        return None
    spread = 2 / (9 * (len(old) - 1))
    usual = reference.chance_index(len(old), old[math.inf], new[math.inf])
    chance = usual * (1 - spread + CHANCE_QUANTILE * spread**0.5) ** 3
    index = stability_index(new, old)
    if index <= reference.MAJOR_SHIFT + chance:
        return None
    return f"its predictions differ from those beside it: their population stability index is {index:.2f}"


def _buckets(cumulative: Counter[float]) -> npt.NDArray[np.float64]:
    return np.diff([cumulative[bound] for bound in sorted(cumulative)], prepend=0.0)


def _sum(histograms: Iterable[Counter[float]]) -> Counter[float]:
    """Keeps empty buckets, which `+` would drop."""
    everything: Counter[float] = Counter()
    for histogram in histograms:
        everything.update(histogram)
    return everything


def _minus(now: Counter[float], before: Counter[float]) -> Counter[float]:
    return Counter({bound: count - before[bound] for bound, count in now.items()})
