"""Prometheus metrics across all workers of a service.

The workers share a folder of memory-mapped files, whose path prometheus_client reads from an environment variable. A
worker's files are named by its place among the workers and not by its process: whoever takes the place continues its
counts, and no files pile up.

A summary of a worker's own metrics goes to its log once a minute; alerts and charts use these lines when there is no
Prometheus.
"""

import math
import os
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path

import numpy as np
import numpy.typing as npt
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Gauge, Histogram, generate_latest, values
from prometheus_client import Counter as Meter
from prometheus_client.multiprocess import MultiProcessCollector

from features.errors import PersonalizationError
from scoring.responses import Fallback
from scoring.scratch import ScratchFolder

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the latency histogram in seconds."""

PROBABILITY_BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Upper bounds of the probability histogram, closer together where most click probabilities are."""

FILES = ("counter", "gauge_livesum", "gauge_livemax", "histogram")
"""The kinds of metrics for which prometheus_client keeps a file per worker."""

FILE_BYTES = 1 << 16
"""The size in bytes that prometheus_client gives a new file; this module's metrics need a fifth of it."""

EVERY_SECONDS = 60.0
SUMMED = ("requests", "rejected", "failed", "recommended", "unknown_users", "records", "log_lines_dropped")
REFUSED = {4: "rejected", 5: "failed"}
"""The outcome of requests by the first digit of their status."""
UNKNOWN = (Fallback.UNKNOWN_USER, Fallback.NO_HISTORIES)
"""Of a user that the request names, nothing was found."""


class DiskFullError(PersonalizationError):
    """The disk is too full for the files that the workers share."""


class Metrics:
    """A worker's metrics. No label ever contains data of a record."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, place: int) -> None:
        """Of the worker at this place, in the folder that the workers share. Raises `DiskFullError`."""
        _reserve_disk(Path(os.environ[FOLDER_VARIABLE]), place)
        values.ValueClass = values.MultiProcessValue(lambda: place)  # type: ignore[no-untyped-call] # prometheus_client has no types here
        self._registry = CollectorRegistry()
        MultiProcessCollector(self._registry)  # type: ignore[no-untyped-call] # prometheus_client has no types here
        self.own = CollectorRegistry()
        """The metrics of this worker alone."""
        counter = partial(Meter, registry=self.own)
        histogram = partial(Histogram, registry=self.own)
        summed = partial(Gauge, registry=self.own, multiprocess_mode="livesum")
        highest = partial(Gauge, registry=self.own, multiprocess_mode="livemax")
        self._answered = counter(
            "scoring_requests",
            "Answered requests with a valid key; incomplete ones only if the service failed.",
            ["operation", "status"],
        )
        self._of_key = counter(
            "scoring_key_requests", "Answered or refused requests by the name of their key.", ["key"]
        )
        self._seconds = histogram(
            "scoring_request_seconds",
            "Seconds from a complete request to its answer, waiting included.",
            ["operation"],
            buckets=BUCKETS,
        )
        self._records = counter("scoring_records", "Scored records.")
        self._probability = histogram(
            "scoring_probability", "Predicted click probabilities.", buckets=PROBABILITY_BUCKETS
        )
        self._by_fallback = counter(
            "scoring_fallbacks", "Recommendations by what was done as the history did not suffice.", ["fallback"]
        )
        self._ready = summed("scoring_ready_workers", "Workers that reproduced the golden records.")
        self._model = summed(
            "scoring_model_info", "Workers by the model that they serve.", ["name", "version", "bundle_hash"]
        )
        self._dropped = counter("scoring_log_lines_dropped", "Log lines that could not be written in time.")
        self._cpu = counter("scoring_cpu_seconds", "Seconds of processor time that the workers used.")
        self._compared = counter("scoring_compared_rows", "Scored rows that were compared with the model's reference.")
        self._prediction_psi = highest(
            "scoring_prediction_psi",
            "Population stability index of probabilities against the model's held-out rows; highest of any worker.",
        )
        self._feature_psi = highest(
            "scoring_feature_psi",
            "Population stability index of a feature against the model's held-out rows; highest of any worker.",
            ["feature"],
        )
        self._computed = 0.0
        self._durations: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
        self._answers: Counter[tuple[str, int]] = Counter()
        self._used: Counter[str] = Counter()
        self._fallbacks: Counter[str] = Counter()
        self._given = array("d")
        self._drift: dict[str, object] = {"prediction_psi": None, "moved_feature": "", "feature_psi": None}
        self._since = _Period()

    def answered(self, operation: str, status: int, seconds: float | None) -> None:
        """Count one response, and unless it is None how long it took; visible after the next `publish`."""
        self._answers[operation, status] += 1
        if seconds is not None:
            self._durations[operation].append(seconds)

    def used(self, key: str) -> None:
        """Count a request under its key's name."""
        self._used[key] += 1

    def scored(self, probabilities: Iterable[float]) -> None:
        """Count scored records by their probabilities; visible after the next `publish`."""
        self._given.extend(probabilities)

    def fell_back(self, fallbacks: Iterable[str]) -> None:
        """Count what one response says in its `fallback`; visible after the next `publish`."""
        self._fallbacks.update(fallbacks)

    def dropped(self, lines: int) -> None:
        """Count dropped log lines."""
        self._dropped.inc(lines)
        self._since.counts["log_lines_dropped"] += lines

    def serves(self, *, name: str, version: str, bundle_hash: str, ready: bool) -> None:
        """Set which model this worker serves, and whether it is ready."""
        self._model.labels(name, version, bundle_hash).set(1)
        self._ready.set(int(ready))

    def moved(self, rows: int, prediction: float, features: Mapping[str, float]) -> None:
        """Set the drift indices of the prediction and the features, computed with `rows` more rows."""
        self._compared.inc(rows)
        self._prediction_psi.set(prediction)
        for name, index in features.items():
            self._feature_psi.labels(name).set(index)
        name = max(features, key=features.__getitem__, default="")
        self._drift = {"prediction_psi": prediction, "moved_feature": name, "feature_psi": features.get(name)}

    def publish(self) -> None:
        """Write the counts to the shared files, all at once because each write costs microseconds."""
        counts = self._since.counts
        for (operation, status), answers in self._answers.items():
            self._answered.labels(operation, str(status)).inc(answers)
            counts["requests"] += answers
            counts[REFUSED.get(status // 100, "answered")] += answers
            counts["recommended"] += answers * (operation == "recommend" and status == HTTPStatus.OK)
        self._answers.clear()
        for key, requests in self._used.items():
            self._of_key.labels(key).inc(requests)
        self._used.clear()
        for fallback, responses in self._fallbacks.items():
            self._by_fallback.labels(fallback).inc(responses)
            counts["unknown_users"] += responses * (fallback in UNKNOWN)
        self._fallbacks.clear()
        for operation, durations in self._durations.items():
            self._since.latency += _observe(self._seconds.labels(operation), BUCKETS, durations)
        self._durations.clear()
        if self._given:
            self._records.inc(len(self._given))
            counts["records"] += len(self._given)
            self._since.probability += _observe(self._probability, PROBABILITY_BUCKETS, self._given)
            self._given = array("d")
        computed = time.process_time()
        self._cpu.inc(computed - self._computed)
        self._computed = computed

    def render(self) -> bytes:
        """All workers' metrics in Prometheus' text format; other workers' counts may be one tick old."""
        self.publish()
        return generate_latest(self._registry)

    def summary_is_due(self) -> bool:
        """Whether the latest summary is `EVERY_SECONDS` old."""
        return time.monotonic() - self._since.began >= EVERY_SECONDS

    def summary(self) -> dict[str, object]:
        """What was published since the latest summary: requests by outcome, latency in seconds, records by probability,
        CPU seconds; and the present drift of predictions and of the feature that has drifted most."""
        since, self._since = self._since, _Period()
        return {
            "seconds": round(self._since.began - since.began, 3),
            "cpu_seconds": round(self._since.computed - since.computed, 3),
            **{name: since.counts[name] for name in SUMMED},
            "latency": _filled(BUCKETS, since.latency),
            "probability": _filled(PROBABILITY_BUCKETS, since.probability),
            **self._drift,
        }


class _Period:
    """What was published in a worker's time from now on."""

    def __init__(self) -> None:
        self.began, self.computed = time.monotonic(), time.process_time()
        self.counts: Counter[str] = Counter()
        self.latency = np.zeros(len(BUCKETS) + 1, np.int64)
        self.probability = np.zeros(len(PROBABILITY_BUCKETS) + 1, np.int64)


def _filled(bounds: Sequence[float], counts: npt.NDArray[np.int64]) -> list[tuple[float | None, int]]:
    """Pairs of an upper bound, None for infinity, and the count above the previous bound, where there is any."""
    return [(bound, count) for bound, count in zip((*bounds, None), counts.tolist(), strict=True) if count]


def _reserve_disk(folder: Path, place: int) -> None:
    """Write this worker's files to their full length; raises `DiskFullError`.

    The files are memory-mapped: if the disk is full at the first write to a page, the system kills the process.
    """
    for kind in FILES:
        file = Path(folder, f"{kind}_{place}.db")
        try:
            with file.open("ab") as end:
                end.write(bytes(max(0, FILE_BYTES - end.tell())))
        except OSError as error:
            raise DiskFullError(
                f"The metrics need {len(FILES) * FILE_BYTES >> 10} KiB per worker in {folder.parent}: "
                f"{error.strerror}. Make room, or name another folder in TMPDIR."
            ) from error


def _observe(histogram: Histogram, bounds: Sequence[float], values: "array[float]") -> npt.NDArray[np.int64]:
    """Add many values to a histogram with these `bounds`, faster than `Histogram.observe` for each of them.

    Returns how many are in each bucket, int64[b + 1].
    """
    buckets, total = histogram._buckets, histogram._sum  # noqa: SLF001 - it has no public way for several
    places = np.searchsorted(bounds, values)  # bounds are inclusive; the last bucket is infinity
    counts = np.bincount(places, minlength=len(buckets))
    for bucket, observed in zip(buckets, counts.tolist(), strict=True):
        if observed:
            bucket.inc(observed)
    total.inc(math.fsum(values))
    return counts


@contextmanager
def shared_folder() -> Iterator[None]:
    """The folder shared by all workers started in this context."""
    folder = ScratchFolder("scoring-metrics")
    os.environ[FOLDER_VARIABLE] = str(folder.path)
    try:
        yield
    finally:
        del os.environ[FOLDER_VARIABLE]
        folder.remove()
