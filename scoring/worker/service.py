"""The state of one worker: the model that it serves, the keys that it accepts and whether it is ready."""

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

from scoring.errors import GoldenError, KeysError
from scoring.model.model import ServedModel
from scoring.request_errors import InternalError, NotReady, Rejection
from scoring.responses import ModelName
from scoring.settings import RequestLines, ServerSettings
from scoring.worker.keys import KeyRing
from scoring.worker.logs import LogSink, describe
from scoring.worker.metrics import Metrics
from scoring.worker.summary import Summary, certificate_end

if TYPE_CHECKING:
    from scoring.worker.tracing import Tracing  # brings OpenTelemetry, which only an image that traces has

TICK_SECONDS = 0.25
"""How often a worker looks at its keys file and writes its log."""

REFUSAL_LINES = 60
"""Refused requests of a kind that get a line in the log"""

REFUSALS_SECONDS = 60.0
"""in that time."""

ACCESS_LINE = (
    b'{"timestamp":%.3f,"level":"info","event":"request","request_id":"%b","operation":"%b","status":%d,'
    b'"milliseconds":%.3f}'
)
"""A request in the log. None of its parts needs escaping."""


class Service:
    """What the routes share."""

    def __init__(self, settings: ServerSettings, keys: KeyRing, sink: LogSink) -> None:
        self.settings = settings
        self.keys = keys
        self.sink = sink
        self.metrics = Metrics()
        self._summary = Summary(self.metrics.own)
        self._certificate_end = certificate_end(settings.tls_certificate)
        self._every_line = settings.log_requests is RequestLines.ALL
        self._refusals = RefusalLines(sink)
        self._model: ServedModel | None = None
        self._refusal = "The model is being loaded."

    @property
    def model(self) -> ServedModel:
        """The model to score with; raises `NotReady` while there is none that reproduced its golden records."""
        if self._model is None:
            raise NotReady(self._refusal)
        if not self._model.engine.ready:
            raise NotReady("The engine is being started again.")
        return self._model

    @property
    def ready(self) -> bool:
        """Whether there is a model that reproduced its golden records, and an engine that runs."""
        return self._model is not None and self._model.engine.ready

    async def start(self) -> None:
        """Load the model and score the golden records.

        A mismatch leaves the service running but not ready, so that its metrics and log can be read; a bundle that is
        altered raises a `PersonalizationError`.
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
        gc.freeze()  # what was loaded stays, so no collection needs to look at it again

    async def tend(self, tracing: "Tracing | None" = None) -> None:
        """Do what is to be done again and again beside answering, until cancelled."""
        duties: list[Callable[[], object]] = [
            self._follow_keys,
            self._refusals.tell,
            self._flush_log,
            self._compare,
            self.metrics.publish,
            self._summarize_when_due,
        ]
        if tracing is not None:
            duties.append(lambda: tracing.tell(self.sink))
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

    def record(self, operation: str, status: int, seconds: float, request_id: bytes) -> None:
        """Count and log one answer."""
        self.metrics.answered(operation, status, seconds)
        refused = status >= HTTPStatus.BAD_REQUEST
        if (refused and self._refusals.may_add(operation, status)) or (self._every_line and not refused):
            self.sink.add(ACCESS_LINE % (time.time(), request_id, operation.encode(), status, seconds * 1000))

    def rejection_of(self, error: Exception, request_id: bytes) -> Rejection:
        """What a request that ended with `error` gets; unless that is a `Rejection`, it is our mistake and logged."""
        if isinstance(error, Rejection):
            return error
        self.sink.event("internal error", level="error", request_id=request_id.decode(), **describe(error))
        return InternalError("Internal error; the service's log has the details under the request's id.")

    def stop(self) -> None:
        """Free the model and write the rest of the log."""
        self.metrics.publish()
        self._refusals.tell(last=True)
        self._summarize()
        self.sink.event("stopped")
        self.sink.flush()
        if self._model is not None:
            self._model.close()
            self._model = None
            self._refusal = "The service is stopping."

    def _summarize_when_due(self) -> None:
        if self._summary.due():
            self._summarize()

    def _summarize(self) -> None:
        model = self._model
        self.sink.event(
            "summary",
            level="info",
            model=self.settings.model_name if model is None else model.name.name,
            version=self.settings.model_version if model is None else model.name.version,
            bundle_hash="" if model is None else model.bundle.hash,
            certificate_end=self._certificate_end,
            **self._summary.fields(),
        )

    def _compare(self) -> None:
        """Say how far what was scored has moved from what the model was trained on."""
        if self._model is not None and (moved := self._model.watch.compare()) is not None:
            self.metrics.moved(*moved)

    def _flush_log(self) -> None:
        self.sink.flush()
        if self.sink.dropped:
            self.metrics.dropped(self.sink.dropped)
            self.sink.dropped = 0


class RefusalLines:
    """Which refusals get a line in the log: the first ones of a kind, and then a count of the others.

    A refused client can ask again as often as it likes, and the log is paid for by volume. A kind is an operation and a
    status.
    """

    def __init__(self, sink: LogSink) -> None:
        self._sink = sink
        self._began = time.monotonic()
        self._seen: Counter[tuple[str, int]] = Counter()

    def may_add(self, operation: str, status: int) -> bool:
        """Whether one more of this kind gets its line."""
        self._seen[operation, status] += 1
        return self._seen[operation, status] <= REFUSAL_LINES

    def tell(self, *, last: bool = False) -> None:
        """Write how many had no line and begin anew, when the time is over or this is the last occasion."""
        now = time.monotonic()
        if now - self._began < REFUSALS_SECONDS and not last:
            return
        for (operation, status), seen in self._seen.items():
            if seen > REFUSAL_LINES:
                self._sink.event(
                    "requests without a line", operation=operation, status=status, count=seen - REFUSAL_LINES
                )
        self._seen.clear()
        self._began = now
