"""Prometheus metrics across all workers of a service.

The workers share a folder of memory-mapped files. prometheus_client reads its path from an environment variable when it
is imported, so it is imported late, once the variable is set.
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
from typing import TYPE_CHECKING

import numpy as np

from scoring.errors import DiskFullError
from scoring.scratch import ScratchFolder

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Histogram

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


class Metrics:
    """A worker's metrics. No label ever contains data of a record."""

    content_type: str
    own: "CollectorRegistry"
    """The metrics of this worker alone."""

    def __init__(self) -> None:
        folder = Path(os.environ[FOLDER_VARIABLE])
        self._slot = Slot(folder)
        _reserve_disk(folder, self._slot.number)
        import prometheus_client as prometheus  # noqa: PLC0415 - reads the variable when imported
        from prometheus_client import values  # noqa: PLC0415 - the same
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415 - the same

        values.ValueClass = values.MultiProcessValue(lambda: self._slot.number)  # type: ignore[no-untyped-call] # prometheus_client has no types here
        from scoring.worker import meters  # noqa: PLC0415 - the same

        self.content_type = prometheus.CONTENT_TYPE_PLAIN_0_0_4
        self._registry = prometheus.CollectorRegistry()
        MultiProcessCollector(self._registry)  # type: ignore[no-untyped-call] # prometheus_client has no types here
        self._render = prometheus.generate_latest
        own = self.own = prometheus.CollectorRegistry()
        self._requests = meters.RequestMeters(own, BUCKETS)
        self._scores = meters.ScoreMeters(own, PROBABILITY_BUCKETS)
        self._recommended = meters.RecommendMeters(own)
        self._worker = meters.WorkerMeters(own)
        self._drift = meters.DriftMeters(own)
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
        self._worker.dropped.inc(lines)

    def serves(self, *, name: str, version: str, bundle_hash: str, ready: bool) -> None:
        """Set which model this worker serves, and whether it is ready."""
        self._worker.model.labels(name, version, bundle_hash).set(1)
        self._worker.ready.set(int(ready))

    def moved(self, rows: int, prediction: float, features: Mapping[str, float]) -> None:
        """Set the drift indices of the prediction and the features, computed with `rows` more rows."""
        self._drift.rows.inc(rows)
        self._drift.prediction.set(prediction)
        for name, index in features.items():
            self._drift.feature.labels(name).set(index)

    def publish(self) -> None:
        """Write the counts to the shared files, all at once because each write costs microseconds."""
        for (operation, status), answers in self._answers.items():
            self._requests.answered.labels(operation, str(status)).inc(answers)
        self._answers.clear()
        for key, requests in self._used.items():
            self._requests.used.labels(key).inc(requests)
        self._used.clear()
        for fallback, responses in self._fallbacks.items():
            self._recommended.fallbacks.labels(fallback).inc(responses)
        self._fallbacks.clear()
        for operation, durations in self._durations.items():
            _observe(self._requests.seconds.labels(operation), BUCKETS, durations)
        self._durations.clear()
        if self._given:
            self._scores.records.inc(len(self._given))
            _observe(self._scores.probability, PROBABILITY_BUCKETS, self._given)
            self._given = array("d")
        computed = time.process_time()
        self._worker.cpu.inc(computed - self._computed)
        self._computed = computed

    def render(self) -> bytes:
        """All workers' metrics in Prometheus' text format; other workers' counts may be one tick old."""
        self.publish()
        self._slot.forget_dead()
        return self._render(self._registry)


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


def _observe(histogram: "Histogram", bounds: Sequence[float], values: "array[float]") -> None:
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
