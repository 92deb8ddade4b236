"""A worker's state: its model, its keys, its readiness, and its periodic duties."""

import asyncio
import gc
import ssl
import time
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from recommend.stored import SnapshotError
from scoring.model.model import GoldenError, ServedModel
from scoring.model.records import Lookups
from scoring.request_errors import Refusal, Rejection
from scoring.responses import ModelName
from scoring.settings import RequestLines, ServerSettings
from scoring.worker.keys import KeyRing, KeysError
from scoring.worker.logs import LogSink, describe
from scoring.worker.metrics import Metrics
from scoring.worker.snapshots import Following, Lake

TICK_SECONDS = 0.25
"""The time between two rounds of a worker's duties, such as reading the keys file and writing the log."""

REFUSAL_LINES = 60
"""The most refused requests of a kind that are logged"""

REFUSALS_SECONDS = 60.0
"""within this time."""

MOST_COMPLAINTS = 20
"""The most problems of snapshots that are logged."""

ACCESS_LINE = (
    b'{"timestamp":%.3f,"level":"info","event":"request","request_id":"%b","operation":"%b","status":%d,'
    b'"milliseconds":%b}'
)
"""A request's line in the log. None of its values needs escaping."""


class Service:
    """The state that all routes share."""

    def __init__(self, settings: ServerSettings, keys: KeyRing, sink: LogSink, place: int) -> None:
        """Of the worker at this place."""
        self.settings = settings
        self.keys = keys
        self.sink = sink
        self.metrics = Metrics(place)
        self._certificate_end = certificate_end(settings.tls_cert)
        self._every_line = settings.log_requests is RequestLines.ALL
        self._refusals = RefusalLines(sink)
        self._model: ServedModel | None = None
        self._refusal = "The model is being loaded."
        self._following: Following | None = None
        self._complaints: set[str] = set()

    @property
    def model(self) -> ServedModel:
        """The model; raises `NOT_READY` until it has reproduced its golden records, and while its engine restarts."""
        if self._model is None:
            raise Refusal.NOT_READY(self._refusal)
        if not self._model.ready:
            raise Refusal.NOT_READY("The engine is being started again.")
        return self._model

    @property
    def recommends(self) -> bool:
        """Whether `/recommend` exists: until the model is loaded, and then if its dataset has users and items."""
        return self._model is None or self._model.has_users_and_items

    @property
    def lookups(self) -> Lookups:
        """The users' histories and the catalogue."""
        return Lookups() if self._following is None else self._following.lookups

    async def start(self) -> None:
        """Load the model and score the golden records.

        After a mismatch the service runs without being ready, so that its metrics and log can be read. Raises a
        `PersonalizationError` if the bundle was altered.
        """
        began = time.perf_counter()
        settings = self.settings
        name = ModelName(name=settings.model_name, version=settings.model_version)
        model = ServedModel.load(settings.bundle, name=name, engine=settings.engine, max_records=settings.max_records)
        try:
            golden = await model.check_golden()
        except GoldenError as error:
            self._refusal = str(error)
            self.sink.event("not ready", level="error", reason=str(error))
        else:
            if model.has_users_and_items and settings.snapshots is not None:
                lake = None if settings.snapshots_from is None else Lake(settings.snapshots_from, settings.snapshots)
                lookups = Lookups(places=settings.new_items, complain=self._complain)
                self._following = Following(settings.snapshots, model, self.sink, lake, lookups)
                await self._following.refresh()
            self._model = model
            self.sink.event(
                "ready",
                model=model.name.name,
                version=model.name.version,
                bundle_hash=model.bundle.hash,
                golden_records=golden,
                seconds=round(time.perf_counter() - began, 3),
            )
        self.metrics.serves(
            name=name.name, version=name.version, bundle_hash=model.bundle.hash, ready=self._model is not None
        )
        gc.collect()
        gc.freeze()  # what was loaded is permanent, so later collections can skip it

    async def tend(self) -> None:
        """Run the periodic duties until cancelled."""
        duties: list[Callable[[], object]] = [
            self._follow_keys,
            *([] if self._following is None else [self._following.follow]),
            self._refusals.tell,
            self._flush_log,
            self._compare,
            self.metrics.publish,
            self._summarize,
        ]
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for duty in duties:
                self._try(duty)

    def _try(self, duty: Callable[[], object]) -> None:
        try:
            duty()
        except Exception as error:  # noqa: BLE001 - whatever fails in one of them, the others go on
            self.sink.event("a duty failed and is tried again", level="error", **describe(error))

    def _follow_keys(self) -> None:
        try:
            if self.keys.refresh():
                self.sink.event("keys read again", keys=self.keys.names)
        except KeysError as error:
            self.sink.event("keys not read again, the old ones stay valid", level="error", reason=str(error))

    def _complain(self, error: SnapshotError) -> None:
        """Log what is wrong with a snapshot that was altered: each problem once, since every request may meet it."""
        text = str(error)
        if text not in self._complaints and len(self._complaints) < MOST_COMPLAINTS:
            self._complaints.add(text)
            self.sink.event("snapshot altered", level="error", reason=text)

    def log(self, operation: str, status: int, seconds: float | None, request_id: bytes) -> None:
        """Log one response; `seconds` is None if its request was incomplete."""
        refused = status >= HTTPStatus.BAD_REQUEST
        if (refused and self._refusals.may_add(operation, status)) or (self._every_line and not refused):
            milliseconds = b"null" if seconds is None else b"%.3f" % (seconds * 1000)
            self.sink.add(ACCESS_LINE % (time.time(), request_id, operation.encode(), status, milliseconds))

    def rejection_of(self, error: Exception, request_id: bytes) -> Rejection:
        """The rejection for a request that failed with `error`; other errors than these two are bugs and logged."""
        if isinstance(error, Rejection):
            return error
        if isinstance(error, SnapshotError):
            self._complain(error)
            return Refusal.UNAVAILABLE("What is stored of users or items cannot be read; the service's log says why.")
        self.sink.event("internal error", level="error", request_id=request_id.decode(), **describe(error))
        return Refusal.INTERNAL_ERROR("Internal error; see the service's log for this request ID.")

    def stop(self) -> None:
        """Free the model and write the rest of the log."""
        self.metrics.publish()
        self._refusals.tell(last=True)
        self._summarize(last=True)
        self.sink.event("stopped")
        self.sink.flush()
        if self._model is not None:
            self._model.close()
            self._model = None
            self._refusal = "The service is stopping."

    def _summarize(self, *, last: bool = False) -> None:
        """Log what the worker did since the summary before, once a minute and at the end."""
        if not (last or self.metrics.summary_is_due()):
            return
        model = self._model
        self.sink.event(
            "summary",
            level="info",
            model=self.settings.model_name if model is None else model.name.name,
            version=self.settings.model_version if model is None else model.name.version,
            bundle_hash="" if model is None else model.bundle.hash,
            certificate_end=self._certificate_end,
            **self.metrics.summary(),
        )

    def _compare(self) -> None:
        """Update the drift metrics if a comparison with the baseline sample is due."""
        clicks = None if self._model is None else self._model.clicks
        if clicks is not None and (moved := clicks.watch.compare()) is not None:
            self.metrics.moved(*moved)

    def _flush_log(self) -> None:
        self.sink.flush()
        if self.sink.dropped:
            self.metrics.dropped(self.sink.dropped)
            self.sink.dropped = 0


class RefusalLines:
    """Limits the log lines for refusals: the first ones of each kind get a line, the others are counted.

    A refused client can repeat its request as often as it likes, and the log is billed by volume. A kind is an
    operation with a status.
    """

    def __init__(self, sink: LogSink) -> None:
        self._sink = sink
        self._began = time.monotonic()
        self._seen: Counter[tuple[str, int]] = Counter()

    def may_add(self, operation: str, status: int) -> bool:
        """Count a refusal of this kind, and return whether it gets a line."""
        self._seen[operation, status] += 1
        return self._seen[operation, status] <= REFUSAL_LINES

    def tell(self, *, last: bool = False) -> None:
        """At the end of each period, and if this is the `last` call, log how many had no line and start again."""
        if time.monotonic() - self._began < REFUSALS_SECONDS and not last:
            return
        for (operation, status), seen in self._seen.items():
            if (count := seen - REFUSAL_LINES) > 0:
                self._sink.event("requests without a line", operation=operation, status=status, count=count)
        self._seen.clear()
        self._began = time.monotonic()


def certificate_end(certificate: Path | None) -> int | None:
    """When the first certificate in a PEM file expires, in seconds since 1970; None without a file."""
    if certificate is None:
        return None
    # Private, but the standard library's only certificate parser; a library would add 10 MB to the image.
    decoded = ssl._ssl._test_decode_cert(str(certificate))  # type: ignore[attr-defined] # noqa: SLF001
    return int(ssl.cert_time_to_seconds(decoded["notAfter"]))
