"""One line a minute that says what a worker did: where no Prometheus asks, alerts and charts are made of these lines.

It is read off the worker's own metrics, so that both say the same.
"""

import math
import ssl
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

EVERY_SECONDS = 60.0

Buckets = list[tuple[float | None, int]]
"""Upper bound, None for infinity, and how many were above the bound before; empty ones are left out."""


class Summary:
    """What a worker did since its last line."""

    def __init__(self, registry: "CollectorRegistry") -> None:
        """`registry` has the metrics of this worker alone."""
        self._registry = registry
        self._before: dict[tuple[str, ...], float] = {}
        for _ in self._counted():
            pass  # what whoever had these files before has counted is none of this worker's
        self._began, self._computed = time.monotonic(), time.process_time()

    def due(self) -> bool:
        """Whether it is time for the next line."""
        return time.monotonic() - self._began >= EVERY_SECONDS

    def fields(self) -> dict[str, object]:
        """The next line's fields: requests by outcome, latency in seconds, records by probability, seconds of CPU."""
        now, computed = time.monotonic(), time.process_time()
        seconds, cpu_seconds = now - self._began, computed - self._computed
        self._began, self._computed = now, computed
        outcomes: Counter[str] = Counter()
        cumulative: defaultdict[str, defaultdict[float, float]] = defaultdict(lambda: defaultdict(float))
        others: Counter[str] = Counter()
        for name, labels, more in self._counted():
            if name == "scoring_requests_total":
                outcomes[labels["status"][0]] += round(more)
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
            "records": others["scoring_records_total"],
            "latency": _buckets(cumulative["scoring_request_seconds_bucket"]),
            "probability": _buckets(cumulative["scoring_probability_bucket"]),
            "log_lines_dropped": others["scoring_log_lines_dropped_total"],
            **self._drift(),
        }

    def _drift(self) -> dict[str, object]:
        """How far the predictions have moved from the model's held-out rows, and the feature that has moved most."""
        prediction = [index for _, index in self._gauge("scoring_prediction_psi")]
        feature, index = max(self._gauge("scoring_feature_psi"), key=lambda one: one[1], default=("", None))
        return {"prediction_psi": max(prediction, default=None), "moved_feature": feature, "feature_psi": index}

    def _gauge(self, name: str) -> Iterator[tuple[str, float]]:
        """The values of a gauge, each with its label or an empty text."""
        for family in self._registry.collect():
            if family.name == name:
                for _, labels, value, *_ in family.samples:
                    yield "".join(labels.values()), value

    def _counted(self) -> Iterator[tuple[str, Mapping[str, str], float]]:
        """What was added to each counter and histogram since the last call: name, labels, difference."""
        for family in self._registry.collect():
            if family.type not in ("counter", "histogram"):
                continue
            for name, labels, value, *_ in family.samples:
                key = (name, *labels.values())
                yield name, labels, value - self._before.get(key, 0.0)
                self._before[key] = value


def certificate_end(certificate: Path | None) -> int | None:
    """When the first certificate of a PEM file ends, in seconds since 1970; None without one."""
    if certificate is None:
        return None
    # Not public, but the only reader of certificates in the standard library; another one would be 10 MB of image.
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
