"""Logs a summary of a worker's requests once a minute; alerts and charts use these lines when there is no Prometheus.

A summary is computed from the worker's own metrics, so both agree.
"""

import math
import ssl
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from scoring.responses import Fallback

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

EVERY_SECONDS = 60.0
ANSWERED = {"operation": "recommend", "status": "200"}
UNKNOWN = {Fallback.UNKNOWN_USER, Fallback.NO_HISTORIES}
"""Of a user that the request names, nothing was found."""

Buckets = list[tuple[float | None, int]]
"""Pairs of an upper bound, None for infinity, and the count above the previous bound; empty buckets are left out."""


class Summary:
    """The changes of a worker's metrics since the previous summary."""

    def __init__(self, registry: "CollectorRegistry") -> None:
        """`registry` has the metrics of this worker alone."""
        self._registry = registry
        self._before: dict[tuple[str, ...], float] = {}
        for _ in self._counted():
            pass  # exclude the counts of a previous worker with the same files
        self._began, self._computed = time.monotonic(), time.process_time()

    def due(self) -> bool:
        """Whether the next summary is due."""
        return time.monotonic() - self._began >= EVERY_SECONDS

    def fields(self) -> dict[str, object]:
        """The next summary's fields: requests by outcome, latency in seconds, records by probability, CPU seconds."""
        now, computed = time.monotonic(), time.process_time()
        seconds, cpu_seconds = now - self._began, computed - self._computed
        self._began, self._computed = now, computed
        outcomes: Counter[str] = Counter()
        cumulative: defaultdict[str, defaultdict[float, float]] = defaultdict(lambda: defaultdict(float))
        others: Counter[str] = Counter()
        for name, labels, more in self._counted():
            if name == "scoring_requests_total":
                outcomes[labels["status"][0]] += round(more)
                others["recommended"] += round(more) if labels == ANSWERED else 0
            elif name == "scoring_fallbacks_total":
                others["unknown_users"] += round(more) if labels["fallback"] in UNKNOWN else 0
            elif "le" in labels:
                cumulative[name][float(labels["le"])] += more
            else:
                others[name] += round(more)
        return {
            "seconds": round(seconds, 3),
            "cpu_seconds": round(cpu_seconds, 3),
            "requests": outcomes.total(),
            "rejected": outcomes["4"],
            "failed": outcomes["5"],
            "recommended": others["recommended"],
            "unknown_users": others["unknown_users"],
            "records": others["scoring_records_total"],
            "latency": _buckets(cumulative["scoring_request_seconds_bucket"]),
            "probability": _buckets(cumulative["scoring_probability_bucket"]),
            "log_lines_dropped": others["scoring_log_lines_dropped_total"],
            **self._drift(),
        }

    def _drift(self) -> dict[str, object]:
        """Drift of the predictions from the model's held-out rows, and the feature that has drifted most."""
        prediction = [index for _, index in self._gauge("scoring_prediction_psi")]
        feature, index = max(self._gauge("scoring_feature_psi"), key=lambda one: one[1], default=("", None))
        return {"prediction_psi": max(prediction, default=None), "moved_feature": feature, "feature_psi": index}

    def _gauge(self, name: str) -> Iterator[tuple[str, float]]:
        """The values of a gauge, each preceded by its label, or by an empty string if it has none."""
        for family in self._registry.collect():
            if family.name == name:
                for _, labels, value, *_ in family.samples:
                    yield "".join(labels.values()), value

    def _counted(self) -> Iterator[tuple[str, Mapping[str, str], float]]:
        """The increase of each counter and histogram since the previous call: name, labels, difference."""
        for family in self._registry.collect():
            if family.type not in ("counter", "histogram"):
                continue
            for name, labels, value, *_ in family.samples:
                key = (name, *labels.values())
                yield name, labels, value - self._before.get(key, 0.0)
                self._before[key] = value


def certificate_end(certificate: Path | None) -> int | None:
    """When the first certificate in a PEM file expires, in seconds since 1970; None without a file."""
    if certificate is None:
        return None
    # Private, but the standard library's only certificate parser; a library would add 10 MB to the image.
    decoded = ssl._ssl._test_decode_cert(str(certificate))  # type: ignore[attr-defined] # noqa: SLF001
    return int(ssl.cert_time_to_seconds(decoded["notAfter"]))


def _buckets(cumulative: Mapping[float, float]) -> Buckets:
    found: Buckets = []
    below = 0.0
    for bound, reached in sorted(cumulative.items()):
        if reached > below:
            found.append((None if math.isinf(bound) else bound, round(reached - below)))
        below = reached
    return found
