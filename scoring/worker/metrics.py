"""Prometheus metrics across all workers of a service.

The workers share a folder of memory-mapped files, whose path prometheus_client reads from an environment variable.

A summary of a worker's own metrics goes to its log once a minute; alerts and charts use these lines when there is no
Prometheus.
"""

import fcntl
import math
import os
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Gauge, Histogram, generate_latest, values
from prometheus_client import Counter as Meter
from prometheus_client.multiprocess import MultiProcessCollector

from scoring.errors import DiskFullError
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

MOST_SLOTS = 4096

EVERY_SECONDS = 60.0
ANSWERED = {"operation": "recommend", "status": "200"}
UNKNOWN = {Fallback.UNKNOWN_USER, Fallback.NO_HISTORIES}
"""Of a user that the request names, nothing was found."""

Buckets = list[tuple[float | None, int]]
"""Pairs of an upper bound, None for infinity, and the count above the previous bound; empty buckets are left out."""


class Metrics:
    """A worker's metrics. No label ever contains data of a record."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self) -> None:
        folder = Path(os.environ[FOLDER_VARIABLE])
        self._slot = Slot(folder)
        _reserve_disk(folder, self._slot.number)
        values.ValueClass = values.MultiProcessValue(lambda: self._slot.number)  # type: ignore[no-untyped-call] # prometheus_client has no types here
        self._registry = CollectorRegistry()
        MultiProcessCollector(self._registry)  # type: ignore[no-untyped-call] # prometheus_client has no types here
        own = self.own = CollectorRegistry()
        """The metrics of this worker alone."""
        self._answered = Meter(
            "scoring_requests",
            "Answered requests with a valid key; incomplete ones only if the service failed.",
            ["operation", "status"],
            registry=own,
        )
        self._of_key = Meter(
            "scoring_key_requests", "Answered or refused requests by the name of their key.", ["key"], registry=own
        )
        self._seconds = Histogram(
            "scoring_request_seconds",
            "Seconds from a complete request to its answer, waiting included.",
            ["operation"],
            buckets=BUCKETS,
            registry=own,
        )
        self._records = Meter("scoring_records", "Scored records.", registry=own)
        self._probability = Histogram(
            "scoring_probability", "Predicted click probabilities.", buckets=PROBABILITY_BUCKETS, registry=own
        )
        self._by_fallback = Meter(
            "scoring_fallbacks",
            "Recommendations by what was done as the history did not suffice.",
            ["fallback"],
            registry=own,
        )
        self._ready = Gauge(
            "scoring_ready_workers",
            "Workers that reproduced the golden records.",
            registry=own,
            multiprocess_mode="livesum",
        )
        self._model = Gauge(
            "scoring_model_info",
            "Workers by the model that they serve.",
            ["name", "version", "bundle_hash"],
            registry=own,
            multiprocess_mode="livesum",
        )
        self._dropped = Meter("scoring_log_lines_dropped", "Log lines that could not be written in time.", registry=own)
        self._cpu = Meter("scoring_cpu_seconds", "Seconds of processor time that the workers used.", registry=own)
        self._compared = Meter(
            "scoring_compared_rows", "Scored rows that were compared with the model's reference.", registry=own
        )
        self._prediction_psi = Gauge(
            "scoring_prediction_psi",
            "Population stability index of probabilities against the model's held-out rows; highest of any worker.",
            registry=own,
            multiprocess_mode="livemax",
        )
        self._feature_psi = Gauge(
            "scoring_feature_psi",
            "Population stability index of a feature against the model's held-out rows; highest of any worker.",
            ["feature"],
            registry=own,
            multiprocess_mode="livemax",
        )
        self._computed = 0.0
        self._durations: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
        self._answers: Counter[tuple[str, int]] = Counter()
        self._used: Counter[str] = Counter()
        self._fallbacks: Counter[str] = Counter()
        self._given = array("d")

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

    def publish(self) -> None:
        """Write the counts to the shared files, all at once because each write costs microseconds."""
        for (operation, status), answers in self._answers.items():
            self._answered.labels(operation, str(status)).inc(answers)
        self._answers.clear()
        for key, requests in self._used.items():
            self._of_key.labels(key).inc(requests)
        self._used.clear()
        for fallback, responses in self._fallbacks.items():
            self._by_fallback.labels(fallback).inc(responses)
        self._fallbacks.clear()
        for operation, durations in self._durations.items():
            _observe(self._seconds.labels(operation), BUCKETS, durations)
        self._durations.clear()
        if self._given:
            self._records.inc(len(self._given))
            _observe(self._probability, PROBABILITY_BUCKETS, self._given)
            self._given = array("d")
        computed = time.process_time()
        self._cpu.inc(computed - self._computed)
        self._computed = computed

    def render(self) -> bytes:
        """All workers' metrics in Prometheus' text format; other workers' counts may be one tick old."""
        self.publish()
        self._slot.forget_dead()
        return generate_latest(self._registry)


class Slot:
    """The smallest number that no other running worker uses in the shared folder; it names the worker's files.

    Process ids won't do: the system reuses them for other programs, and files named after them would pile up with every
    restart. A running worker holds its slot's lock. A worker that takes over a free slot continues that slot's counts.
    """

    def __init__(self, folder: Path) -> None:
        """Take the smallest free slot; raises `OSError` if the folder isn't writable."""
        self._folder = folder
        self.number, self._lock = next(
            (number, lock) for number in range(MOST_SLOTS) if (lock := _lock(folder, number)) is not None
        )
        self.forget_dead()
        for file in folder.glob(f"gauge_live*_{self.number}.db"):
            file.unlink()  # the previous worker's gauges; its counters are kept

    def forget_dead(self) -> None:
        """Delete the gauges of workers that have ended."""
        for file in self._folder.glob("gauge_live*_*.db"):
            number = int(file.stem.rpartition("_")[2])
            if number != self.number and (lock := _lock(self._folder, number)) is not None:
                file.unlink(missing_ok=True)
                os.close(lock)


def _lock(folder: Path, number: int) -> int | None:
    """The descriptor of the slot's lock; None if another process holds it."""
    descriptor = os.open(folder / f"slot_{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _reserve_disk(folder: Path, slot: int) -> None:
    """Write this worker's files to their full length; raises `DiskFullError`.

    The files are memory-mapped: if the disk is full at the first write to a page, the system kills the process.
    """
    for kind in FILES:
        file = Path(folder, f"{kind}_{slot}.db")
        try:
            with file.open("ab") as end:
                end.write(bytes(max(0, FILE_BYTES - end.tell())))
        except OSError as error:
            raise DiskFullError(
                f"The metrics need {len(FILES) * FILE_BYTES >> 10} KiB per worker in {folder.parent}: "
                f"{error.strerror}. Make room, or name another folder in TMPDIR."
            ) from error


def _observe(histogram: Histogram, bounds: Sequence[float], values: "array[float]") -> None:
    """Add many values to a histogram with these `bounds`, faster than `Histogram.observe` for each of them."""
    buckets, total = histogram._buckets, histogram._sum  # noqa: SLF001 - it has no public way for several
    places = np.searchsorted(bounds, values)  # bounds are inclusive; the last bucket is infinity
    for bucket, observed in zip(buckets, np.bincount(places, minlength=len(buckets)).tolist(), strict=True):
        if observed:
            bucket.inc(observed)
    total.inc(math.fsum(values))


@contextmanager
def shared_folder() -> Iterator[Path]:
    """The folder shared by all workers started in this context; one that is already set is used, and not removed."""
    if chosen := os.environ.get(FOLDER_VARIABLE):
        Path(chosen).mkdir(parents=True, exist_ok=True)
        yield Path(chosen)
        return
    folder = ScratchFolder("scoring-metrics")
    os.environ[FOLDER_VARIABLE] = str(folder.path)
    try:
        yield folder.path
    finally:
        del os.environ[FOLDER_VARIABLE]
        folder.remove()


class Summary:
    """The changes of a worker's metrics since the previous summary."""

    def __init__(self, registry: CollectorRegistry) -> None:
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


def _buckets(cumulative: Mapping[float, float]) -> Buckets:
    found: Buckets = []
    below = 0.0
    for bound, reached in sorted(cumulative.items()):
        if reached > below:
            found.append((None if math.isinf(bound) else bound, round(reached - below)))
        below = reached
    return found
